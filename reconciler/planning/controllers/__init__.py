"""One module per kind of object: each compares what is wanted with what is there, and decides; none acts."""
