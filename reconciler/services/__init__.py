"""What every host needs beside its pods so that services answer: routes, addresses, HAProxy, readiness checks."""

from reconciler.services.layer import ServiceLayer, node_setups

__all__ = ["ServiceLayer", "node_setups"]
