"""Ingresses: who was there first is remembered, and how they stand."""

from msgspec.structs import replace

from reconciler.model.api.certificates import Certificate
from reconciler.model.api.core.service import LoadBalancerIngress, LoadBalancerStatus
from reconciler.model.api.networking import Ingress, IngressStatus, IngressTLS
from reconciler.model.memory import Memory
from reconciler.model.moments import rfc3339
from reconciler.model.names import Ref
from tests.certificates import NOON, secret, signed
from tests.ingress_oracle import ingress, rule
from tests.published import message_of
from tests.simulated import World, desired


def turns(memory: Memory) -> dict[str, int]:
    return {ref.name: record.turn for ref, record in memory.ingresses.items()}


def at(*names: str) -> list[Ingress]:
    return [ingress(name, rule("", ("Prefix", "/", "web"))) for name in names]


def test_who_comes_later_has_a_later_turn_and_who_comes_back_comes_later() -> None:
    world = World(desired(*at("b", "c"), nodes=1))
    world.memory = world.plan().memory
    assert turns(world.memory) == {"b": 1, "c": 1}
    world.wanted = desired(*at("a", "c"), nodes=1, revision="r2")
    world.memory = world.plan().memory
    assert turns(world.memory) == {"a": 2, "c": 1}
    world.wanted = desired(*at("a", "b", "c"), nodes=1, revision="r3")
    world.memory = world.plan().memory
    assert turns(world.memory) == {"a": 2, "b": 3, "c": 1}
    assert world.plan().memory.ingresses is world.memory.ingresses


def test_how_an_ingress_stands() -> None:
    one = ingress("web", rule("a.org"), rule("a.org"), rule(""), default="web", tls=[IngressTLS()])
    other = ingress("other", default="web", class_name="nginx")
    statuses = World(desired(one, other, nodes=1)).plan().statuses
    heard = IngressStatus(LoadBalancerStatus((LoadBalancerIngress(hostname="node-000.example"),)))
    assert statuses[Ref("Ingress", "shop", "web")] == replace(one, status=heard)
    assert statuses[Ref("Ingress", "shop", "other")] == other


def test_when_its_certificates_end_is_told_and_why_one_cannot_be_used() -> None:
    (chain, key), (_, other) = signed("a.org", end=NOON), signed("a.org")
    names = [IngressTLS(secret_name=name) for name in ("good", "bad", "asked")]
    asked = ingress("web", rule("a.org"), tls=names)
    held = (secret("good", chain, key), secret("bad", chain, other))
    statuses = World(desired(asked, *held, nodes=1)).plan().statuses.values()
    certificates = {one.metadata.name: one for one in statuses if isinstance(one, Certificate)}
    assert {name: (one.status.not_after, message_of(one, "Ready")) for name, one in certificates.items()} == {
        "good": (rfc3339(NOON), ""),
        "bad": ("", "tls.key is not the key of the first certificate in tls.crt"),
        "asked": ("", "it has not been issued yet"),
    }
