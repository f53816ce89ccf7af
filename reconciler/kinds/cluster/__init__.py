"""The kind of the group reconciler.dev: the cluster itself."""
