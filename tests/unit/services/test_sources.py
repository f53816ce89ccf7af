"""A proxy lets through whom the pods behind it would: all of them, as it may choose any."""

from msgspec.structs import replace

from reconciler.model.api.cluster import ClusterNetwork, ClusterSpec
from reconciler.model.api.core.node import Node, SshAddress
from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.api.networking import NetworkPolicy, NetworkPolicySpec, PolicyType
from reconciler.model.desired import Desired
from reconciler.model.memory import NodeRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.policies import Allowed, PodPolicy, RuleSet
from reconciler.services.policy import NOBODY, Isolation
from reconciler.services.sources import Sources, SourcesCache, hosts_own, service_sources
from tests.simulated import by_type, desired, with_kinds

WEB = Ref("Service", "shop", "web")
HOSTS = ("127.0.0.0/8", "10.244.0.1")


def endpoint(ip: str, *ports: int) -> Endpoint:
    return Endpoint(ip, ip, "node-1", ip, ports, ready=True)


def isolation(*pods: PodPolicy, **sets: tuple[Allowed, ...]) -> Isolation:
    return Isolation({name: RuleSet(name, allowed) for name, allowed in sets.items()}, {"node-1": pods})


def web(ports: int, *policies: NetworkPolicy, isolated: bool = False) -> Desired:
    """A Service in `shop`."""
    service = Service(
        ObjectMeta("web", "shop"), ServiceSpec(ports=tuple(ServicePort(n + 1) for n in range(ports)))
    )
    network = ClusterNetwork(isolate_namespaces=isolated)
    return desired(service, *policies, nodes=1, cluster=ClusterSpec(network=network))


def policy(namespace: str, *types: PolicyType) -> NetworkPolicy:
    return NetworkPolicy(ObjectMeta("some", namespace), NetworkPolicySpec(policy_types=types))


ELSEWHERE = policy("elsewhere", "Ingress")
"""Gives no Service of `shop` a list."""


def sources(found: Isolation, *endpoints: Endpoint, policy: NetworkPolicy = ELSEWHERE) -> tuple[Sources, ...]:
    ports = max((len(endpoint.ports) for endpoint in endpoints), default=1)
    return service_sources(web(ports, policy), found, {WEB: endpoints}, HOSTS).get(WEB, ())


def test_without_policies_nothing_is_restricted() -> None:
    assert service_sources(web(1), NOBODY, {WEB: (endpoint("10.244.0.2", 80),)}, HOSTS) == {}


def test_a_service_whose_pods_are_open_is_not_restricted() -> None:
    found = isolation(PodPolicy("10.244.0.9", "none"), none=())
    assert sources(found, endpoint("10.244.0.2", 80)) == ()


def test_where_policies_may_concern_a_service_it_has_their_lists_whatever_pods_there_are() -> None:
    everybody = ("0.0.0.0/0",)
    assert sources(NOBODY, policy=policy("shop", "Ingress")) == (Sources(everybody),)
    assert sources(NOBODY, policy=policy("shop", "Egress")) == (Sources(denied=()),)
    assert sources(NOBODY, policy=policy("elsewhere", "Ingress", "Egress")) == (Sources(denied=()),)
    assert service_sources(web(2, isolated=True), NOBODY, {}, HOSTS) == {WEB: (Sources(everybody),) * 2}


def test_a_pod_of_another_namespace_that_a_slice_names_is_guarded_too() -> None:
    found = isolation(PodPolicy("10.244.0.2", "none"), none=())
    assert sources(found, endpoint("10.244.0.2", 80)) == (Sources(("10.244.0.1/32", "127.0.0.0/8")),)


def test_a_client_must_be_allowed_by_every_pod_behind_the_port() -> None:
    found = isolation(
        PodPolicy("10.244.0.2", "wide"),
        PodPolicy("10.244.0.3", "narrow"),
        wide=(Allowed("192.0.2.0/24"),),
        narrow=(Allowed("192.0.2.0/25", "tcp", 80, 90), Allowed("192.0.2.0/24", "udp")),
    )
    both = (endpoint("10.244.0.2", 80), endpoint("10.244.0.3", 80), endpoint("10.244.0.4", 80))
    assert sources(found, *both) == (Sources(("10.244.0.1/32", "127.0.0.0/8", "192.0.2.0/25")),)
    assert sources(found, both[0]) == (Sources(("10.244.0.1/32", "127.0.0.0/8", "192.0.2.0/24")),)


def test_each_port_of_a_service_has_its_own_sources_and_only_hosts_reach_one_that_nobody_may() -> None:
    found = isolation(PodPolicy("10.244.0.2", "http"), http=(Allowed("0.0.0.0/0", "tcp", 80, 80),))
    assert sources(found, endpoint("10.244.0.2", 80, 443, 0)) == (
        Sources(),
        Sources(("10.244.0.1/32", "127.0.0.0/8")),
        Sources(),
    )


def test_a_pod_that_may_not_reach_them_all_is_denied() -> None:
    found = isolation(
        PodPolicy("10.244.0.8", egress="some"),
        PodPolicy("10.244.0.9", egress="all"),
        some=(Allowed("10.244.0.2/32"),),
        all=(Allowed("10.244.0.0/24", "tcp", 80, 80),),
    )
    pods = (endpoint("10.244.0.2", 80), endpoint("10.244.0.3", 80))
    assert sources(found, *pods) == (Sources(denied=("10.244.0.8/32",)),)
    assert sources(found, pods[0]) == ()
    assert sources(found, endpoint("10.244.0.2", 81)) == (Sources(denied=("10.244.0.9/32",)),)


def test_pods_that_become_ready_change_nothing_and_others_only_their_own_service() -> None:
    db = Ref("Service", "shop", "db")
    wanted = web(1, policy("shop", "Ingress", "Egress"))
    wanted = with_kinds(wanted, {Service: {**wanted.of(Service), db: wanted.of(Service)[WEB]}})
    some = (Allowed("10.244.0.2/32"),)
    found = isolation(PodPolicy("10.244.0.2", "some"), PodPolicy("10.244.0.8", egress="some"), some=some)
    behind, more = endpoint("10.244.0.2", 80), endpoint("10.244.0.3", 80)
    sourcing = SourcesCache()
    first = sourcing.sources(wanted, found, {WEB: (behind,), db: (behind,)}, HOSTS)
    starting = replace(behind, ready=False)
    assert sourcing.sources(wanted, found, {WEB: (starting,), db: (behind,)}, HOSTS) is first
    then = sourcing.sources(wanted, found, {WEB: (behind, more), db: (behind,)}, HOSTS)
    assert then[WEB] == (replace(first[WEB][0], denied=("10.244.0.8/32",)),)
    assert then[db] is first[db]
    another = isolation(*found.pods["node-1"], PodPolicy("10.244.0.9", "some"), some=some)
    assert sourcing.sources(wanted, another, {WEB: (behind, more), db: (behind,)}, HOSTS) is then


def test_the_hosts_own_addresses() -> None:
    records = {"node-1": NodeRecord("node-1", "e", "10.244.7.0/24"), "new": NodeRecord("new")}
    found = hosts_own(desired(nodes=1), records)
    assert {"127.0.0.0/8", "10.96.0.0/16", "10.244.7.1"} <= set(found)


def test_a_host_with_a_name_has_the_address_that_it_was_reached_at() -> None:
    def own(host: str, record: NodeRecord) -> set[str]:
        node = Node(ObjectMeta("a"), SshAddress("root", host))
        return set(
            hosts_own(with_kinds(desired(), {Node: by_type(({"a": node}).values())[Node]}), {record.name: record})
        )

    plain = own("192.0.2.1", NodeRecord("a"))
    assert "192.0.2.1" in plain
    assert own("a.example", NodeRecord("a", address="192.0.2.1")) == plain
    assert own("192.0.2.1", NodeRecord("a", address="198.51.100.1")) == plain
    assert own("a.example", NodeRecord("a")) == own("a.example", NodeRecord("b")) == plain - {"192.0.2.1"}
