"""What can go wrong between us and a host, in the domain's words; each class says what to do next."""

import traceback

from reconciler.model.failures import PlainFailure
from reconciler.model.leases import HostLease


class NodeError(PlainFailure):
    """Anything that keeps us from a host. The message is for people, complete with how to fix it."""


class ConnectionLost(NodeError):
    """No connection, or none any more: connect again, after a pause. What was under way has an unknown outcome."""


class Unusable(ConnectionLost):
    """The host is up and answers, and something on it keeps us out: connect again, after a pause. What runs there
    goes on."""


class HostRefused(NodeError):
    """The host answers and must not be used: another host key, another engine. Trying again alone won't help."""


class Superseded(NodeError):
    """The host takes no effects of this reconciler: the lease there is another's, or was never ours. Trying again
    helps only when the host has granted a new claim."""

    def __init__(self, where: str, lease: HostLease | None) -> None:
        holder = f"{lease.holder} leads there (epoch {lease.epoch})" if lease else "it has no lease there"
        super().__init__(f"{where} takes nothing from this reconciler: {holder}")
        self.lease = lease


class OutcomeUnknown(NodeError):
    """The reply was lost, late or unreadable: it may or may not have been done, so observe before all else."""


class CommandFailed(NodeError):
    """A command ended, and said no."""


class EngineError(NodeError):
    """Docker answered, and said no; `status` is HTTP's. The message is Docker's own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class NotOurs(NodeError):
    """Something of that name is on the host, and is not ours: left alone."""


def defect(error: Exception) -> str:
    """A defect of ours, for the log of the thread that it would have ended: its type and place.

    Neither its message nor any variable: a container's environment may be among them."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join([type(error).__name__, *(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))])
