"""What is wrong with one object for itself, and cannot be said by JSON Schema."""
