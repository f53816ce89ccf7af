"""An operation that ended badly, with Kubernetes' own word for why. Raised by what pods/worker.py calls."""

from reconciler.nodes.errors import NodeError


class Failed(NodeError):
    """`reason` is Kubernetes' (ErrImagePull, CreateContainerConfigError…); the message is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
