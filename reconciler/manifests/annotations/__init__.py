"""The annotations that mean something here, on which kinds, and what their values must be."""
