"""When a certificate is ordered: at once where there is none, early where one ends, and not without end."""

import pytest
from msgspec.structs import replace

from reconciler.model.acme import Acme, IssuedCertificate, Order
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.config import Secret
from reconciler.model.api.meta import ref_of
from reconciler.model.api.networking import Ingress, IngressTLS
from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.ingress_options import Canary
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.planning import (
    account_wanted,
    after_issue,
    after_refusal,
    certificates_due,
    with_account,
)
from tests.certificates import DAY, NOON, secret
from tests.fake_issuer import FakeIssuer, issued
from tests.ingress_oracle import ingress, rule
from tests.simulated import with_kinds
from tests.unit.services.test_layer import desired

SERVER = "https://acme.example.org/directory"
SITE = Ref("Secret", "shop", "site")
NOW = 1000.0
HOUR = 3600.0


def site(*hosts: str, name: str = "entry", secret_name: str = "site") -> Ingress:
    return ingress(name, rule("a.org", ("Prefix", "/", "web")), tls=[IngressTLS(hosts, secret_name)], acme=True)


def wanting(*ingresses: Ingress, server: str = SERVER) -> Desired:
    wanted = desired()
    cluster = replace(wanted.cluster, spec=replace(wanted.cluster.spec, acme=Acme(server)))
    by_ref = {Ref("Ingress", "shop", one.metadata.name): one for one in ingresses}
    return with_kinds(wanted, {Cluster: {ref_of(cluster): cluster}, Ingress: by_ref})


KNOWN = with_account(Memory(), SERVER, FakeIssuer().new_account())
ENTRY = wanting(site("a.org"))


def orders(wanted: Desired, memory: Memory, now: float = NOW, at: float = NOON) -> list[tuple[str, ...]]:
    return [order.wanted.names for order in certificates_due(wanted, memory, Clock(now, at)).orders]


def the_order(wanted: Desired, memory: Memory = KNOWN) -> Order:
    (order,) = certificates_due(wanted, memory, Clock(NOW, NOON)).orders
    return order


def certificate(*names: str, start: float = NOON, days: float = 90, server: str = SERVER) -> IssuedCertificate:
    return issued(*names, server=server, start=start, end=start + days * DAY)


def holding(held: IssuedCertificate) -> Memory:
    return replace(KNOWN, certificates={SITE: held})


def test_a_certificate_that_nobody_has_is_ordered_for_the_hosts_of_its_entry() -> None:
    assert orders(wanting(site("www.a.org", "a.org")), KNOWN) == [("a.org", "www.a.org")]
    assert orders(wanting(site()), KNOWN) == [("a.org",)], "without hosts of its own, those of the rules"


def test_ingresses_that_name_one_secret_share_a_certificate() -> None:
    order = the_order(wanting(site("b.org", name="two"), site("a.org")))
    assert order.wanted.names == ("a.org", "b.org")
    assert [ref.name for ref in order.wanted.ingresses] == ["entry", "two"]


def test_nothing_is_ordered_for_a_secret_of_a_manifest_or_an_ingress_that_does_not_ask_for_it() -> None:
    held = with_kinds(ENTRY, {Secret: {SITE: secret("site", "chain", "key")}})
    silent = replace(site("a.org"), options=replace(site().options, acme=False))
    canary = replace(site("a.org"), options=replace(site().options, canary=Canary(weight=10)))
    foreign = ingress("entry", tls=[IngressTLS(("a.org",), "site")], acme=True, class_name="nginx")
    for wanted in (held, *map(wanting, (silent, canary, foreign))):
        assert orders(wanted, KNOWN) == []
        assert account_wanted(wanted, Memory()) == ""


def test_an_account_is_made_for_each_server_when_it_is_needed() -> None:
    assert account_wanted(ENTRY, Memory()) == SERVER
    assert orders(ENTRY, Memory()) == []
    assert account_wanted(ENTRY, KNOWN) == ""
    assert account_wanted(wanting(site("a.org"), server="https://other.org"), KNOWN) == "https://other.org"
    assert account_wanted(wanting(), Memory()) == ""


@pytest.mark.parametrize(("days", "due"), [(0, False), (59, False), (61, True), (90, True), (1000, True)])
def test_a_certificate_is_renewed_when_a_third_of_its_life_is_left(days: float, due: bool) -> None:
    assert orders(ENTRY, holding(certificate("a.org")), at=NOON + days * DAY) == [("a.org",)] * due


def test_other_hosts_or_another_server_are_a_new_certificate() -> None:
    memory = holding(certificate("a.org"))
    assert orders(wanting(site("a.org", "b.org")), memory) == [("a.org", "b.org")]
    moved = with_account(memory, "https://other.org", FakeIssuer().new_account())
    assert orders(wanting(site("a.org"), server="https://other.org"), moved) == [("a.org",)]


def test_an_order_that_fails_is_tried_again_later_and_later() -> None:
    memory, now = KNOWN, NOW
    waits = []
    for _ in range(9):
        memory = after_refusal(memory, the_order(ENTRY), now)
        due = certificates_due(ENTRY, memory, Clock(now, NOON))
        assert due.orders == ()
        assert due.wake_at is not None
        assert orders(ENTRY, memory, due.wake_at - 1) == []
        assert orders(ENTRY, memory, due.wake_at) == [("a.org",)]
        waits.append((due.wake_at - now) / 60)
        now = due.wake_at
    assert waits == [5, 10, 20, 40, 80, 160, 320, 360, 360]


def test_what_the_user_corrects_is_tried_at_once() -> None:
    memory = after_refusal(KNOWN, the_order(ENTRY), NOW)
    assert orders(wanting(site("a.org", "b.org")), memory) == [("a.org", "b.org")]


def test_what_was_issued_is_kept_and_a_failure_before_it_forgotten() -> None:
    memory = after_refusal(KNOWN, the_order(ENTRY), NOW)
    memory = after_issue(memory, the_order(ENTRY), certificate("a.org"), NOW + HOUR)
    assert orders(ENTRY, memory, NOW + HOUR) == []
    assert memory.orders[SITE].failures == 0


def test_a_server_whose_certificates_are_never_good_enough_is_not_asked_without_end() -> None:
    memory = after_issue(KNOWN, the_order(ENTRY), certificate("a.org", start=NOON - 80 * DAY), NOW)
    due = certificates_due(ENTRY, memory, Clock(NOW, NOON))
    assert (due.orders, due.wake_at) == ((), NOW + HOUR)


def test_a_certificate_whose_ingress_went_is_kept_until_it_is_of_no_use() -> None:
    other = Ref("Secret", "shop", "other")
    for start, kept in ((NOON - 100 * DAY, True), (NOON - 130 * DAY, False)):
        before = replace(KNOWN, certificates={other: certificate("b.org", start=start)})
        after = after_issue(before, the_order(ENTRY), certificate("a.org"), NOW)
        assert (other in after.certificates) == kept
