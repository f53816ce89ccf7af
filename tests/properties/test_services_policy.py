"""The rules of each pod say what the policies say, asked one connection at a time."""

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.api.core.container import Container, ContainerPort
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.meta import LabelSelector, LabelSelectorRequirement, ObjectMeta
from reconciler.model.api.networking import (
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
)
from reconciler.model.memory import PodIntent
from reconciler.services.policy import Isolation
from reconciler.services.policy_evaluation import Evaluation

SPACES = {"red": {"team": "x"}, "blue": {"team": "y"}}
PORTS = (80, 81, 90)
letters = st.sampled_from("ab")


def one_pod(number: int, namespace: str, app: str, http: int) -> PodIntent:
    spec = PodSpec(containers=(Container("main", "web:1", ports=(ContainerPort(http, name="http"),)),))
    ip, name = f"10.244.0.{number}", f"p{number}"
    return PodIntent(name, namespace, name, "node-1", "h", "r", ip, labels={"app": app}, spec=spec)


pods = st.lists(
    st.tuples(st.sampled_from(sorted(SPACES)), letters, st.sampled_from(PORTS[:2])), min_size=2, max_size=6
).map(lambda drawn: [one_pod(number, *each) for number, each in enumerate(drawn, start=2)])
selectors = st.one_of(
    st.just(LabelSelector()),
    letters.map(lambda app: LabelSelector({"app": app})),
    letters.map(lambda app: LabelSelector(match_expressions=(LabelSelectorRequirement("app", "NotIn", (app,)),))),
)
spaces = st.one_of(
    st.just(LabelSelector()), st.sampled_from("xyz").map(lambda team: LabelSelector({"team": team}))
)
peers = st.one_of(
    st.builds(NetworkPolicyPeer, selectors),
    st.builds(NetworkPolicyPeer, st.one_of(st.none(), selectors), spaces),
)
ports = st.one_of(
    st.builds(NetworkPolicyPort, port=st.sampled_from((None, 80, 90, "http"))),
    st.just(NetworkPolicyPort(port=80, end_port=85)),
    st.just(NetworkPolicyPort("UDP", 80)),
)
lists = {"peers": st.lists(peers, max_size=2).map(tuple), "ports": st.lists(ports, max_size=2).map(tuple)}
policies = st.builds(
    lambda namespace, spec: NetworkPolicy(ObjectMeta("p", namespace), spec),
    st.sampled_from(sorted(SPACES)),
    st.builds(
        NetworkPolicySpec,
        selectors,
        st.lists(st.builds(NetworkPolicyIngressRule, **lists), max_size=2).map(tuple),
        st.lists(st.builds(NetworkPolicyEgressRule, **lists), max_size=2).map(tuple),
        st.lists(st.sampled_from(("Ingress", "Egress")), max_size=2, unique=True).map(tuple),
    ),
)


def selected(selector: LabelSelector, labels: dict[str, str]) -> bool:
    unlike = [labels["app"] not in each.values for each in selector.match_expressions]
    return selector.match_labels.items() <= labels.items() and all(unlike)


def meant(
    rule: NetworkPolicyIngressRule | NetworkPolicyEgressRule, policy: NetworkPolicy, other: PodIntent
) -> bool:
    return not rule.peers or any(
        (
            other.namespace == policy.metadata.namespace
            if peer.namespace_selector is None
            else selected(peer.namespace_selector, SPACES[other.namespace])
        )
        and (peer.pod_selector is None or selected(peer.pod_selector, dict(other.labels)))
        for peer in rule.peers
    )


def open_at(rule: NetworkPolicyIngressRule | NetworkPolicyEgressRule, target: PodIntent, port: int) -> bool:
    """For TCP."""
    assert target.spec is not None
    named = target.spec.containers[0].ports[0].container_port
    for one in rule.ports:
        number = named if one.port == "http" else one.port
        if one.protocol == "TCP" and (number is None or int(number) <= port <= (one.end_port or int(number))):
            return True
    return not rule.ports


def may(all_of_them: list[NetworkPolicy], way: str, pod: PodIntent, other: PodIntent, port: int) -> bool:
    """By upstream's words: isolated by none, or allowed by one of those that isolate it."""
    found = [
        policy
        for policy in all_of_them
        if policy.metadata.namespace == pod.namespace
        and selected(policy.spec.pod_selector, dict(pod.labels))
        and (
            way in policy.spec.policy_types
            or (not policy.spec.policy_types and (way == "Ingress" or policy.spec.egress))
        )
    ]
    target = pod if way == "Ingress" else other
    return not found or any(
        meant(rule, policy, other) and open_at(rule, target, port)
        for policy in found
        for rule in (policy.spec.ingress if way == "Ingress" else policy.spec.egress)
    )


def lets(isolation: Isolation, way: str, pod: PodIntent, other: PodIntent, port: int) -> bool:
    """As iptables goes through the rules; all addresses here are /32 or wider networks of the same /24."""
    names = {
        each.ip: each.ingress if way == "Ingress" else each.egress for each in isolation.pods.get("node-1", ())
    }
    if not (name := names.get(pod.ip, "")):
        return True
    return any(
        IPv4Address(other.ip) in IPv4Network(one.cidr)
        and one.protocol in ("", "tcp")
        and (not one.first or one.first <= port <= one.last)
        for one in isolation.sets[name].allowed
    )


@given(pods, st.lists(policies, max_size=3))
@settings(max_examples=150, deadline=None)
def test_the_rules_are_what_the_policies_say(found: list[PodIntent], written: list[NetworkPolicy]) -> None:
    namespaces = {name: Namespace(ObjectMeta(name, labels=labels)) for name, labels in SPACES.items()}
    isolation = Isolation(*Evaluation(written, namespaces, found).outcome())
    for pod in found:
        for other in found:
            for port in PORTS:
                for way in ("Ingress", "Egress"):
                    assert lets(isolation, way, pod, other, port) == may(written, way, pod, other, port)
