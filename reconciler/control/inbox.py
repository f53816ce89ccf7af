"""Where everything that can wake the loop arrives: other threads put, the loop alone takes."""

import threading
from collections import deque
from typing import TypeAlias

from msgspec import Struct

from reconciler.model.acme import IssuedCertificate, Order
from reconciler.model.desired import Desired, Rejected, SourceSnapshot, Unavailable
from reconciler.model.operations import Outcome


class SourceRead(Struct, frozen=True):
    """The source was read, and this is what it held."""

    result: Desired | Rejected | Unavailable
    snapshot: SourceSnapshot | None = None
    """The bytes of a result that is Desired."""


class SourceBroke(Struct, frozen=True):
    """A defect ended the thread that reads the source: the loop ends with it, rather than go on without news."""

    error: Exception


class NodeObserved(Struct, frozen=True):
    """Something about this node changed; what, its session tells."""

    node: str


class WorkFinished(Struct, frozen=True):
    node: str
    outcome: Outcome


class OrderEnded(Struct, frozen=True):
    order: Order
    result: IssuedCertificate | str
    """Or why there is none."""


class Stop(Struct, frozen=True):
    """End after the current turn."""


Message: TypeAlias = SourceRead | SourceBroke | NodeObserved | WorkFinished | OrderEnded | Stop


class Inbox:
    """An unbounded queue whose reader takes all that has come at once, so that bursts cost one turn.

    It holds at most one `NodeObserved` per node: how often a host changes does not lengthen it.
    """

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._waiting: set[str] = set()
        self._arrived = threading.Condition()

    def put(self, message: Message) -> None:
        with self._arrived:
            if isinstance(message, NodeObserved):
                if message.node in self._waiting:
                    return
                self._waiting.add(message.node)
            self._messages.append(message)
            self._arrived.notify()

    def observed(self, node: str) -> None:
        """Called by a session (`nodes.session.Listener`)."""
        self.put(NodeObserved(node))

    def finished(self, node: str, outcome: Outcome) -> None:
        """Called by a session (`nodes.session.Listener`)."""
        self.put(WorkFinished(node, outcome))

    def order_ended(self, order: Order, result: IssuedCertificate | str) -> None:
        """Called by the issuer (`acme.AcmeIssuer`)."""
        self.put(OrderEnded(order, result))

    def take(self, timeout: float) -> list[Message]:
        """All messages so far; waits up to `timeout` seconds for the first, and returns none if none came."""
        with self._arrived:
            if not self._messages:
                self._arrived.wait(timeout)
            taken = list(self._messages)
            self._messages.clear()
            self._waiting.clear()
            return taken
