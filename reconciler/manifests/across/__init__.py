"""What one object means for another: names, references, addresses and selectors across a whole revision."""
