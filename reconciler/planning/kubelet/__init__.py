"""What one pod needs next on its node: containers, volumes, probes, and its end."""
