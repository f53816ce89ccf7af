"""The prober of a node: its container, and the connection to it."""
