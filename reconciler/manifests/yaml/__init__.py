"""YAML as values with the place of each, as YAML 1.2 and Kubernetes read it."""
