"""Kubernetes' ideas on plain Docker hosts: a declarative reconciler with nothing to install on a host."""

__version__ = "0.1.0"
