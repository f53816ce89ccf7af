"""How every object stands, from what is there."""
