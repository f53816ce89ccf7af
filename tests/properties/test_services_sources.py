"""Lists of clients that follow what changes are those made anew, and say what the rules of the pods say."""

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.cluster import ClusterNetwork, ClusterSpec
from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.api.networking import NetworkPolicy
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.services.policy import Isolation, isolate
from reconciler.services.sources import ANYBODY, Sources, SourcesCache, service_sources
from tests.properties.test_services_policy import PORTS, SPACES, lets, pods, policies
from tests.simulated import desired, with_kinds

HOSTS = ("127.0.0.0/8", "10.244.0.1")
REFS = tuple(Ref("Service", namespace, name) for namespace in SPACES for name in ("web", "db"))
Behind = tuple[Endpoint, ...]
Change = dict[str, Any] | tuple[Ref, Behind] | Ref


class Cluster(Struct, frozen=True):
    """All that lists follow from."""

    pods: list[PodIntent]
    policies: list[NetworkPolicy]
    isolated: bool
    behind: dict[Ref, Behind]
    own: tuple[str, ...] = HOSTS


behind = st.lists(
    st.builds(
        lambda number, ports, ready: Endpoint(
            f"p{number}", f"p{number}", "node-1", f"10.244.0.{number}", ports, ready=ready
        ),
        st.integers(2, 9),
        st.tuples(st.sampled_from((0, *PORTS)), st.sampled_from((0, *PORTS))),
        st.booleans(),
    ),
    max_size=3,
).map(tuple)
written = st.lists(policies, max_size=3)
services = st.dictionaries(st.sampled_from(REFS), behind)
clusters = st.builds(Cluster, pods, written, st.booleans(), services)
changes = st.one_of(
    st.builds(dict, pods=pods),
    st.builds(dict, policies=written),
    st.builds(dict, isolated=st.booleans()),
    st.builds(dict, own=st.sampled_from((HOSTS, HOSTS[:1]))),
    st.tuples(st.sampled_from(REFS), behind),
    st.sampled_from(REFS),
)


def changed(cluster: Cluster, change: Change) -> Cluster:
    """Another value of a field; other pods behind a service; or the readiness of those there are."""
    if isinstance(change, dict):
        return replace(cluster, **change)
    if isinstance(change, Ref):
        found = tuple(replace(one, ready=not one.ready) for one in cluster.behind.get(change, ()))
        change = (change, found)
    ref, found = change
    return replace(cluster, behind={**cluster.behind, ref: found})


def wanted(cluster: Cluster) -> Desired:
    ports = (ServicePort(80), ServicePort(81))
    found = (Service(ObjectMeta(ref.name, ref.namespace), ServiceSpec(ports=ports)) for ref in cluster.behind)
    network = ClusterNetwork(isolate_namespaces=cluster.isolated)
    base = desired(*found, nodes=1, cluster=ClusterSpec(network=network))
    numbered = {Ref("NetworkPolicy", "", str(number)): one for number, one in enumerate(cluster.policies)}
    return with_kinds(base, {NetworkPolicy: numbered})


def isolation(cluster: Cluster) -> Isolation:
    return isolate(wanted(cluster), {pod.uid: pod for pod in cluster.pods})


@given(clusters, st.lists(changes, max_size=6))
@settings(max_examples=150, deadline=None)
def test_following_changes_is_beginning_anew(cluster: Cluster, following: list[Change]) -> None:
    sourcing = SourcesCache()
    nothing: Change = {}
    for change in (nothing, *following):
        cluster = changed(cluster, change)
        inputs = (wanted(cluster), isolation(cluster), cluster.behind, cluster.own)
        found = sourcing.sources(*inputs)
        assert found == service_sources(*inputs)
        assert sourcing.sources(*inputs) is found


@given(clusters)
@settings(max_examples=100, deadline=None)
def test_a_client_gets_through_where_it_and_every_pod_behind_may_have_each_other(cluster: Cluster) -> None:
    rules = isolation(cluster)
    lists = service_sources(wanted(cluster), rules, cluster.behind, HOSTS)
    by_ip = {pod.ip: pod for pod in cluster.pods}
    for ref, found in cluster.behind.items():
        for at in range(2):
            listed = lists[ref][at] if ref in lists else ANYBODY
            targets = [(one.ip, one.ports[at]) for one in found if one.ports[at]]
            for client in cluster.pods:
                reaches = all(lets(rules, "Egress", client, stand_in(client, ip), port) for ip, port in targets)
                taken = all(lets(rules, "Ingress", by_ip[ip], client, port) for ip, port in targets if ip in by_ip)
                assert let_through(listed, client.ip) == (reaches and taken)


def stand_in(pod: PodIntent, ip: str) -> PodIntent:
    """What is at that address, for the rules: there need be no pod."""
    return replace(pod, ip=ip)


def let_through(listed: Sources, ip: str) -> bool:
    """As HAProxy does it."""
    if any(IPv4Address(ip) in IPv4Network(cidr) for cidr in listed.denied or ()):
        return False
    return listed.allowed is None or any(IPv4Address(ip) in IPv4Network(cidr) for cidr in listed.allowed)
