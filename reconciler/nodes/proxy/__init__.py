"""HAProxy on a node: its container, its files, its runtime API and its statistics."""
