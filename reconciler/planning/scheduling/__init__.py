"""Which node a pod is given to, and for every other node why not."""
