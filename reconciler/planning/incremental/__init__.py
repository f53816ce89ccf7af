"""Planning only what a change can reach: finding the change, cutting the world to it, and merging the outcome."""
