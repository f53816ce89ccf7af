"""Certificates that are being asked for: what was handed over and has not ended yet."""

from collections.abc import Iterable, Iterator

from reconciler.control.inbox import OrderEnded
from reconciler.control.ports import Issuer
from reconciler.model.acme import IssuedCertificate, Order
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.planning import account_wanted, after_issue, after_refusal, with_account


class Orders:
    """Used by the loop's thread alone."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self.under_way: set[Ref] = set()
        """By the Secrets that stand for them."""

    def prepared(self, desired: Desired, memory: Memory) -> Memory:
        """Return the memory with an account for the ACME server, if one will be needed.

        It is stored, as all of memory, before anything is done.
        """
        server = account_wanted(desired, memory)
        return with_account(memory, server, self._issuer.new_account()) if server else memory

    def place(self, orders: Iterable[Order]) -> Iterator[Order]:
        """Hand over those that are not under way; yields them."""
        for order in orders:
            if order.secret not in self.under_way:
                self.under_way.add(order.secret)
                self._issuer.order(order)
                yield order

    def ended(self, message: OrderEnded, memory: Memory, now: float) -> Memory:
        """`now` is monotonic seconds."""
        self.under_way.discard(message.order.secret)
        if isinstance(message.result, IssuedCertificate):
            return after_issue(memory, message.order, message.result, now)
        return after_refusal(memory, message.order, now)
