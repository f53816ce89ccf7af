"""Who may talk to whom, by upstream's rules."""

from typing import Any

import pytest

from reconciler.model.api.cluster import ClusterNetwork, ClusterSpec
from reconciler.model.api.core.container import Container, ContainerPort
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.meta import LabelSelector, LabelSelectorRequirement, ObjectMeta, matches
from reconciler.model.api.networking import (
    IPBlock,
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
    PolicyType,
)
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import Uid
from reconciler.services.policy import NOBODY, Isolation, Policies, isolate
from tests.simulated import by_type, desired, with_kinds

LABELS = {"shop": {"team": "a"}, "edge": {"team": "b"}, "bare": {}}


def pod(name: str, namespace: str = "shop", ip: str = "", port: int = 80, **fields: Any) -> PodIntent:
    container = Container("main", "web:1", ports=(ContainerPort(port, name="http"),))
    spec = fields.pop("spec", PodSpec(containers=(container,)))
    labels = {"app": name.partition("-")[0]}
    return PodIntent(
        name, namespace, name, fields.pop("node", "node-000"), "h", "r", ip, None, labels, spec, **fields
    )


PODS = {
    each.uid: each
    for each in (
        pod("web-1", ip="10.244.0.2"),
        pod("web-2", ip="10.244.1.2", node="node-001"),
        pod("db-1", ip="10.244.0.3", port=5432),
        pod("proxy-1", "edge", ip="10.244.0.4"),
        pod("web-9", "bare", ip="10.244.0.5"),
    )
}


EVERY = LabelSelector()


def app(name: str) -> LabelSelector:
    return LabelSelector({"app": name})


def team(name: str) -> LabelSelector:
    return LabelSelector({"team": name})


def policy(
    name: str = "p",
    selector: LabelSelector = EVERY,
    ingress: tuple[NetworkPolicyIngressRule, ...] = (),
    egress: tuple[NetworkPolicyEgressRule, ...] = (),
    types: tuple[PolicyType, ...] = (),
    namespace: str = "shop",
) -> NetworkPolicy:
    return NetworkPolicy(ObjectMeta(name, namespace), NetworkPolicySpec(selector, ingress, egress, types))


def world(*policies: NetworkPolicy, isolated: bool = False) -> Desired:
    spaces = [Namespace(ObjectMeta(name, labels=labels)) for name, labels in LABELS.items()]
    spec = ClusterSpec(network=ClusterNetwork(isolate_namespaces=isolated))
    wanted = desired(*policies, cluster=spec)
    return with_kinds(wanted, by_type(spaces))


def rules(isolation: Isolation, ip: str, way: str = "ingress") -> list[str] | None:
    """`cidr protocol first-last` of each; None: not isolated."""
    pods = {each.ip: each for found in isolation.pods.values() for each in found}
    name = getattr(pods[ip], way) if ip in pods else ""
    if not name:
        return None
    return [
        f"{one.cidr} {one.protocol} {one.first}-{one.last}".replace(" 0-0", "").strip()
        for one in isolation.sets[name].allowed
    ]


def ingress(*peers: NetworkPolicyPeer, ports: tuple[NetworkPolicyPort, ...] = ()) -> list[str] | None:
    """What one rule of a policy for web in shop comes to."""
    found = isolate(world(policy(selector=app("web"), ingress=(NetworkPolicyIngressRule(peers, ports),))), PODS)
    return rules(found, "10.244.0.2")


def test_without_a_policy_nobody_is_isolated() -> None:
    assert isolate(world(), PODS) is NOBODY


def test_a_policy_isolates_the_pods_that_it_selects_and_no_others() -> None:
    found = isolate(world(policy(selector=app("web"))), PODS)
    assert rules(found, "10.244.0.2") == rules(found, "10.244.1.2") == []
    assert rules(found, "10.244.0.3") is rules(found, "10.244.0.5") is None
    assert [each.ip for each in found.of_node("node-000").pods] == ["10.244.0.2"]
    assert [one.allowed for one in found.of_node("node-001").sets] == [()]
    assert found.of_node("node-009").pods == ()


@pytest.mark.parametrize(
    ("types", "egress", "isolated"),
    [
        ((), (), (True, False)),
        ((), (NetworkPolicyEgressRule(),), (True, True)),
        (("Egress",), (), (False, True)),
        (("Ingress",), (NetworkPolicyEgressRule(),), (True, False)),
        (("Ingress", "Egress"), (), (True, True)),
    ],
)
def test_which_ways_a_policy_is_about(
    types: tuple[PolicyType, ...], egress: tuple[NetworkPolicyEgressRule, ...], isolated: tuple[bool, bool]
) -> None:
    found = isolate(world(policy(types=types, egress=egress)), PODS)
    assert tuple(rules(found, "10.244.0.2", way) is not None for way in ("ingress", "egress")) == isolated


def test_a_rule_without_peers_and_ports_allows_everything() -> None:
    assert ingress() == ["0.0.0.0/0"]


def test_pods_are_meant_in_the_policys_own_namespace() -> None:
    assert ingress(NetworkPolicyPeer(app("web"))) == ["10.244.0.2/32", "10.244.1.2/32"]


def test_a_namespace_means_all_its_pods_and_both_selectors_narrow_it() -> None:
    assert ingress(NetworkPolicyPeer(namespace_selector=team("b"))) == ["10.244.0.4/32"]
    assert ingress(NetworkPolicyPeer(app("web"), LabelSelector())) == [
        "10.244.0.2/32",
        "10.244.0.5/32",
        "10.244.1.2/32",
    ]
    assert ingress(NetworkPolicyPeer(app("db"), team("b"))) == []


def test_every_namespace_has_its_name_as_a_label() -> None:
    named = LabelSelector({"kubernetes.io/metadata.name": "bare"})
    assert ingress(NetworkPolicyPeer(namespace_selector=named)) == ["10.244.0.5/32"]


def test_addresses_without_some_of_them() -> None:
    assert ingress(NetworkPolicyPeer(ip_block=IPBlock("192.0.2.0/24", ("192.0.2.128/25", "192.0.2.64/26")))) == [
        "192.0.2.0/26"
    ]


def test_peers_add_up_to_the_fewest_networks() -> None:
    assert ingress(NetworkPolicyPeer(app("db")), NetworkPolicyPeer(app("web"))) == [
        "10.244.0.2/31",
        "10.244.1.2/32",
    ]


@pytest.mark.parametrize(
    ("port", "allowed"),
    [
        (NetworkPolicyPort(), ["0.0.0.0/0 tcp"]),
        (NetworkPolicyPort("UDP", 53), ["0.0.0.0/0 udp 53-53"]),
        (NetworkPolicyPort("SCTP", 7, 9), ["0.0.0.0/0 sctp 7-9"]),
        (NetworkPolicyPort("TCP", "http"), ["0.0.0.0/0 tcp 80-80"]),
        (NetworkPolicyPort("UDP", "http"), []),
        (NetworkPolicyPort("TCP", "other"), []),
    ],
)
def test_ports_by_number_range_and_name(port: NetworkPolicyPort, allowed: list[str]) -> None:
    assert ingress(ports=(port,)) == allowed


def test_policies_add_up() -> None:
    one = policy(
        "one", ingress=(NetworkPolicyIngressRule((NetworkPolicyPeer(app("db")),), (NetworkPolicyPort(port=80),)),)
    )
    other = policy("other", app("web"), (NetworkPolicyIngressRule((NetworkPolicyPeer(app("web")),)),))
    found = isolate(world(one, other), PODS)
    assert rules(found, "10.244.0.2") == ["10.244.0.2/32", "10.244.0.3/32 tcp 80-80", "10.244.1.2/32"]
    assert rules(found, "10.244.0.3") == ["10.244.0.3/32 tcp 80-80"]


def test_what_is_allowed_at_every_port_is_not_said_again_of_one() -> None:
    both = (
        NetworkPolicyIngressRule((NetworkPolicyPeer(app("db")),)),
        NetworkPolicyIngressRule((NetworkPolicyPeer(app("db")),), (NetworkPolicyPort(port=80),)),
    )
    found = isolate(world(policy(ingress=both)), PODS)
    assert rules(found, "10.244.0.2") == ["10.244.0.3/32"]


def test_a_ports_name_is_that_of_the_pod_which_is_connected_to() -> None:
    everywhere = NetworkPolicyEgressRule(ports=(NetworkPolicyPort(port="http"),))
    found = isolate(world(policy(selector=app("web"), egress=(everywhere,))), PODS)
    assert rules(found, "10.244.0.2", "egress") == [
        "10.244.0.2/32 tcp 80-80",
        "10.244.0.3/32 tcp 5432-5432",
        "10.244.0.4/31 tcp 80-80",
        "10.244.1.2/32 tcp 80-80",
    ]
    block = NetworkPolicyEgressRule((NetworkPolicyPeer(ip_block=IPBlock("192.0.2.0/24")),), everywhere.ports)
    found = isolate(world(policy(egress=(block,))), PODS)
    assert rules(found, "10.244.0.2", "egress") == []


def test_isolated_namespaces_are_open_to_themselves_and_to_the_outside_and_policies_allow_more() -> None:
    found = isolate(world(isolated=True), PODS)
    allowed = rules(found, "10.244.0.4")
    assert allowed is not None
    assert [each for each in allowed if each.startswith("10.244.")] == ["10.244.0.4/32"]
    assert "128.0.0.0/1" in allowed
    assert rules(found, "10.244.0.4", "egress") is None
    more = policy(
        namespace="edge", ingress=(NetworkPolicyIngressRule((NetworkPolicyPeer(namespace_selector=team("a")),)),)
    )
    widened = rules(isolate(world(more, isolated=True), PODS), "10.244.0.4")
    assert widened is not None
    assert {"10.244.0.2/31", "10.244.0.4/32", "10.244.1.2/32"} <= set(widened)


def test_pods_that_have_ended_or_are_on_their_hosts_network_do_not_count() -> None:
    hosts = pod("web-3", ip="192.0.2.1", spec=PodSpec(containers=(), host_network=True))
    pods = {**PODS, "web-3": hosts, "web-4": pod("web-4", ip="10.244.0.9", ended="Succeeded")}
    found = isolate(world(policy(ingress=(NetworkPolicyIngressRule((NetworkPolicyPeer(app("web")),)),))), pods)
    assert rules(found, "10.244.0.3") == ["10.244.0.2/32", "10.244.1.2/32"]
    assert rules(found, "192.0.2.1") is rules(found, "10.244.0.9") is None


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ("a", "b"), {"a"}),
        ("NotIn", ("a",), {"", "c"}),
        ("Exists", (), {"a", "c"}),
        ("DoesNotExist", (), {""}),
    ],
)
def test_expressions(operator: Any, values: tuple[str, ...], selected: set[str]) -> None:
    selector = LabelSelector(match_expressions=(LabelSelectorRequirement("tier", operator, values),))
    seen: dict[str, dict[str, str]] = {"": {}, "a": {"tier": "a"}, "c": {"tier": "c"}}
    assert {name for name, labels in seen.items() if matches(selector, labels)} == selected


def test_what_changes_nothing_gives_the_very_same_isolation() -> None:
    policies = Policies()
    wanted = world(policy(selector=app("web")))
    first = policies.isolation(wanted, Memory(pods=PODS))
    more: dict[Uid, PodIntent] = {**PODS, "db-2": pod("db-2", ip="10.244.0.7")}
    assert policies.isolation(wanted, Memory(pods=more)) is first
    more = {**more, "web-3": pod("web-3", ip="10.244.0.8")}
    assert policies.isolation(wanted, Memory(pods=more)) != first
    assert policies.isolation(world(), Memory(pods=more)) is NOBODY
