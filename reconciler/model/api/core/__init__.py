"""The types of the core API group."""
