"""When a certificate is asked for from the ACME server, and what is remembered of how that ended."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from reconciler.model.acme import AcmeAccount, IssuedCertificate, Order, OrderTry, WantedCertificate
from reconciler.model.certificates import wanted_certificates
from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref

RENEWED_AT = 2 / 3
"""The part of its lifetime after which a certificate is renewed: the last third is for tries that fail. The rule
of Let's Encrypt's integration guide."""
RETRY_SECONDS = (300.0, 6 * 3600.0)
"""First delay and longest one after an order that failed; Let's Encrypt allows five an hour for a name."""
PAUSE_SECONDS = 3600.0
"""The pause after an order that succeeded: a server whose certificates are never good enough is not asked without
end."""
FORGOTTEN_SECONDS = 30 * 86400.0
"""How long after its end a certificate is kept, for an Ingress that comes back."""


class DueOrders(NamedTuple):
    orders: tuple[Order, ...]
    wake_at: float | None
    """Monotonic seconds: when a failed order is tried again. Renewals are looked for at least hourly, unasked."""


NO_ORDERS = DueOrders((), None)


def certificates_due(desired: Desired, memory: Memory, clock: Clock) -> DueOrders:
    """Return the certificates to order at this instant, and when to look again."""
    terms = desired.cluster.spec.acme
    account = memory.accounts.get(terms.server) if terms is not None else None
    if terms is None or account is None:
        return NO_ORDERS
    orders, later = [], []
    for secret, wanted in wanted_certificates(desired).items():
        if not _is_due(wanted, memory.certificates.get(secret), terms.server, clock.unix):
            continue
        last = memory.orders.get(secret)
        if (
            last is not None
            and (last.names, last.server) == (wanted.names, terms.server)
            and clock.monotonic < last.not_before
        ):
            later.append(last.not_before)
        else:
            orders.append(Order(secret, wanted, terms, account))
    return DueOrders(tuple(orders), min(later, default=None))


def account_wanted(desired: Desired, memory: Memory) -> str:
    """The server that we have no account with and need one; empty: none."""
    terms = desired.cluster.spec.acme
    if terms is None or terms.server in memory.accounts:
        return ""
    return terms.server if wanted_certificates(desired) else ""


def with_account(memory: Memory, server: str, account: AcmeAccount) -> Memory:
    return replace(memory, accounts={**memory.accounts, server: account})


def after_issue(memory: Memory, order: Order, issued: IssuedCertificate, now: float) -> Memory:
    kept = {
        secret: certificate
        for secret, certificate in memory.certificates.items()
        if certificate.not_after + FORGOTTEN_SECONDS > issued.not_before
    }
    return replace(
        memory,
        certificates={**kept, order.secret: issued},
        orders=_tried(memory.orders, order, failures=0, not_before=now + PAUSE_SECONDS),
    )


def after_refusal(memory: Memory, order: Order, now: float) -> Memory:
    last = memory.orders.get(order.secret)
    failures = (last.failures if last is not None else 0) + 1
    return replace(memory, orders=_tried(memory.orders, order, failures, now + retry_delay(failures)))


def retry_delay(failures: int) -> float:
    """Seconds to wait after so many orders of one certificate that failed."""
    first, longest = RETRY_SECONDS
    return min(longest, first * 2.0 ** min(failures - 1, 16))


def _is_due(wanted: WantedCertificate, held: IssuedCertificate | None, server: str, at: float) -> bool:
    if held is None or (held.names, held.server) != (wanted.names, server):
        return True
    return at >= held.not_before + RENEWED_AT * (held.not_after - held.not_before)


def _tried(
    known: Mapping[Ref, OrderTry], order: Order, failures: int, not_before: float
) -> Mapping[Ref, OrderTry]:
    return {**known, order.secret: OrderTry(order.wanted.names, order.terms.server, failures, not_before)}
