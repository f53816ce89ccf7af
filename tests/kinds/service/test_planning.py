"""Services: their addresses and ports, and who is behind them."""

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.model.api.cluster import ClusterSpec
from reconciler.model.api.core.container import Container, ContainerPort, Probe
from reconciler.model.api.core.endpoints import Endpoints
from reconciler.model.api.core.pod import Pod, PodSpec, is_pod_ready
from reconciler.model.api.core.service import Service, ServicePort, load_balancer_addresses
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.memory import Memory, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.observed import Observed, Probed, Reachable
from tests.published import message_of
from tests.simulated import World, container, deployment, desired, node, service

WEB = Ref("Service", "default", "web")
OTHER = Ref("Service", "default", "other")


def settled(*objects: object, revision: str = "r1") -> World:
    world = World(desired(*objects, nodes=2, revision=revision))  # type: ignore[arg-type]
    world.settle()
    return world


def deaf(world: World) -> None:
    """Nothing has answered yet."""
    nodes = {}
    for name, seen in world.real.nodes.items():
        assert isinstance(seen, Reachable)
        nodes[name] = replace(seen, listening=frozenset())
    world.real = Observed(nodes)


def test_an_address_follows_from_the_name_and_stays() -> None:
    world = settled(service())
    address = world.memory.services[WEB].cluster_ip
    assert address.startswith("10.96.")
    world.wanted = desired(*(service(f"s{number}") for number in range(20)), service(), nodes=2, revision="r2")
    records = world.plan().memory.services
    assert records[WEB].cluster_ip == address
    assert len({record.cluster_ip for record in records.values()}) == 21
    world.memory = Memory()
    assert world.plan().memory.services[WEB].cluster_ip == address, "even after the store was lost"


def test_the_name_servers_addresses_are_given_to_no_service() -> None:
    small = ClusterSpec(service_cidr="10.96.0.0/28")
    wanted = desired(*(service(f"s{number}") for number in range(13)), nodes=1, cluster=small)
    records = World(wanted).plan().memory.services
    given = {record.cluster_ip for record in records.values()}
    assert {f"10.96.0.{number}" for number in (*range(1, 10), 12, 13, 14)} | {""} == given


def test_a_service_that_had_one_before_gets_another() -> None:
    world = settled(service())
    world.memory = replace(world.memory, services={WEB: ServiceRecord("10.96.0.10", (0,))})
    given = world.plan().memory.services[WEB].cluster_ip
    assert given not in ("", "10.96.0.10", "10.96.0.11")


def test_a_pods_own_name_below_a_service_is_that_of_its_subdomain() -> None:
    template = PodSpec((container(),), hostname="db-0", subdomain="db")
    pod = Pod(ObjectMeta("db-0", "default", {"app": "db"}), template)
    other = service()
    other = replace(other, spec=replace(other.spec, selector={"app": "db"}))
    world = settled(pod, service("db", cluster_ip="None"), other)
    endpoints = world.plan().endpoints
    assert [one.hostname for one in endpoints[Ref("Service", "default", "db")]] == ["db-0"]
    assert [one.hostname for one in endpoints[WEB]] == [""]


def test_an_address_given_in_the_manifest_is_waited_for_while_another_service_has_it() -> None:
    world = settled(service())
    taken = world.memory.services[WEB].cluster_ip
    world.wanted = desired(service(), service("other", cluster_ip=taken), nodes=2, revision="r2")
    world.settle()
    assert world.memory.services[WEB].cluster_ip == taken
    assert world.memory.services[OTHER].cluster_ip == ""
    assert world.plan().memory.services is world.memory.services, "being told again and again changes nothing"
    status = world.plan().statuses[OTHER]
    assert isinstance(status, Service)
    assert message_of(status, "Allocated").startswith(
        f"{taken} belongs to Service default/web: choose another clusterIP"
    )
    world.wanted = desired(service("other", cluster_ip=taken), nodes=2, revision="r3")
    record = world.plan().memory.services[OTHER]
    assert (record.cluster_ip, record.message) == (taken, "")


def test_a_service_that_asks_for_anothers_address_keeps_its_own() -> None:
    world = settled(service(), service("other"))
    taken, own = (world.memory.services[ref].cluster_ip for ref in (WEB, OTHER))
    world.wanted = desired(service(), service("other", cluster_ip=taken), nodes=2, revision="r2")
    assert world.plan().memory.services[OTHER].cluster_ip == own


def test_two_services_can_trade_their_addresses() -> None:
    world = settled(service(), service("other"))
    first, second = (world.memory.services[ref].cluster_ip for ref in (WEB, OTHER))
    trade = (service(cluster_ip=second), service("other", cluster_ip=first))
    world.wanted = desired(*trade, nodes=2, revision="r2")
    records = world.plan().memory.services
    assert (records[WEB].cluster_ip, records[OTHER].cluster_ip) == (second, first)


def endpoints_of(world: World) -> Endpoints:
    found = world.plan().statuses[Ref("Endpoints", WEB.namespace, WEB.name)]
    assert isinstance(found, Endpoints)
    return found


def test_a_headless_service_has_no_address() -> None:
    world = settled(service(cluster_ip="None"))
    assert world.memory.services[WEB].cluster_ip == ""
    status = world.plan().statuses[WEB]
    assert isinstance(status, Service)
    assert status.spec.cluster_ip == "None"


def test_node_ports_are_chosen_remembered_and_never_given_twice() -> None:
    ports = (ServicePort(80, "http"), ServicePort(443, "https", node_port=30443))
    world = settled(service(type="NodePort", ports=ports))
    chosen, given = world.memory.services[WEB].node_ports
    assert 30000 <= chosen <= 32767
    assert given == 30443
    fixed = service("other", type="NodePort", ports=(ServicePort(80, node_port=chosen),))
    world.wanted = desired(service(type="NodePort", ports=ports), fixed, nodes=2, revision="r2")
    records = world.plan().memory.services
    assert records[WEB].node_ports == (chosen, 30443)
    assert records[OTHER].node_ports == (0,)
    assert f"node port {chosen} belongs to Service default/web" in records[OTHER].message


def test_a_service_that_is_no_longer_exposed_gives_its_ports_back() -> None:
    world = settled(service(type="NodePort"))
    world.wanted = desired(service(), nodes=2, revision="r2")
    assert world.plan().memory.services[WEB].node_ports == (0,)


def test_a_service_that_is_gone_is_forgotten() -> None:
    world = settled(service(), service("other"))
    world.wanted = desired(service(), nodes=2, revision="r2")
    assert set(world.plan().memory.services) == {WEB}


@pytest.mark.parametrize(("target", "port"), [("http", 8080), (9090, 9090), (0, 80), ("absent", 0)])
def test_a_port_is_found_by_its_name_or_number(target: int | str, port: int) -> None:
    world = settled(deployment(replicas=1), service(ports=(ServicePort(80, target_port=target),)))
    assert world.plan().endpoints[WEB][0].ports == (port,)


def test_a_pod_is_in_rotation_once_its_port_has_answered() -> None:
    world = settled(deployment(replicas=2), service())
    assert [endpoint.ready for endpoint in world.plan().endpoints[WEB]] == [True, True]
    world.forget_volatile()
    deaf(world)
    assert [endpoint.ready for endpoint in world.plan().endpoints[WEB]] == [False, False]


def test_a_pod_whose_container_is_down_is_not_in_rotation() -> None:
    world = settled(deployment(replicas=2), service())
    (first, _) = world.containers()
    world.change(lambda each: replace(each, state="restarting"), container=first.name)
    ready = {endpoint.uid: endpoint.ready for endpoint in world.plan().endpoints[WEB]}
    assert ready.get(first.uid, False) is False
    assert sum(ready.values()) == 1


def two_ports() -> Container:
    return container(cpu="10m", ports=(ContainerPort(8080, "http"), ContainerPort(9090, "metrics")))


def test_a_second_service_takes_no_pod_out_of_the_rotation_of_the_first() -> None:
    world = settled(deployment(containers=(two_ports(),)), service())
    metrics = service("metrics", ports=(ServicePort(90, target_port="metrics"),))
    selecting = replace(metrics, spec=replace(metrics.spec, selector={"app": "web"}))
    world.wanted = desired(deployment(containers=(two_ports(),)), service(), selecting, nodes=2, revision="r2")
    step = world.plan()
    assert [endpoint.ready for endpoint in step.endpoints[WEB]] == [True] * 3
    assert [endpoint.ready for endpoint in step.endpoints[Ref("Service", "default", "metrics")]] == [True] * 3


def test_a_new_port_takes_no_pod_out_of_rotation() -> None:
    world = settled(deployment(containers=(two_ports(),)), service())
    both = (ServicePort(80, "http", target_port="http"), ServicePort(90, "metrics", target_port="metrics"))
    world.wanted = desired(deployment(containers=(two_ports(),)), service(ports=both), nodes=2, revision="r2")
    assert [endpoint.ready for endpoint in world.plan().endpoints[WEB]] == [True] * 3


def test_a_pod_follows_its_templates_labels_without_being_made_anew() -> None:
    world = settled(deployment(), service())
    relabelled = deployment()
    template = replace(
        relabelled.spec.template,
        metadata=replace(relabelled.spec.template.metadata, labels={"app": "web", "v": "2"}),
    )
    relabelled = replace(relabelled, spec=replace(relabelled.spec, template=template))
    chosen = replace(service(), spec=replace(service().spec, selector={"app": "web", "v": "2"}))
    world.wanted = desired(relabelled, chosen, nodes=2, revision="r2")
    step = world.plan()
    assert (step.changes, step.work) == ((), ())
    assert len(step.endpoints[WEB]) == 3


def test_ports_and_endpoints_are_written_as_kubectl_does() -> None:
    ports = (ServicePort(80, target_port="http", node_port=30080),)
    world = settled(deployment(replicas=1), service(type="NodePort", ports=ports))
    status = world.plan().statuses[WEB]
    assert isinstance(status, Service)
    assert [(port.port, port.node_port) for port in status.spec.ports] == [(80, 30080)]
    (subset,) = endpoints_of(world).subsets
    assert [address.ip for address in subset.addresses] == ["10.244.0.2"]
    assert [port.port for port in subset.ports] == [8080]


@pytest.mark.parametrize(
    ("more", "exposed"),
    [
        ({"type": "LoadBalancer"}, True),
        ({"type": "LoadBalancer", "allocate_load_balancer_node_ports": False}, False),
        ({"type": "ExternalName", "external_name": "a.example.org"}, False),
    ],
)
def test_a_load_balancer_has_node_ports_unless_that_is_declined(more: dict[str, Any], exposed: bool) -> None:
    world = settled(deployment(replicas=1), service(**more))
    assert [given > 0 for given in world.memory.services[WEB].node_ports] == [exposed]


def test_a_node_port_is_chosen_where_nobody_listens() -> None:
    """At an edge, and at an external address, a port of the same number is open already."""
    numbers = range(30000, 32768)
    outside = tuple(ServicePort(number, f"p{number}") for number in numbers if number != 31234)
    balancer = service("other", type="LoadBalancer", ports=outside, allocate_load_balancer_node_ports=False)
    world = settled(service(type="NodePort"), balancer)
    assert world.memory.services[WEB].node_ports == (31234,)


def test_when_no_port_is_left_that_is_told() -> None:
    many = tuple(ServicePort(number, f"p{number}", node_port=30000 + number) for number in range(1, 2768))
    world = settled(
        service("a", type="NodePort", ports=many), service("b", type="NodePort"), service(type="NodePort")
    )
    record = world.memory.services[WEB]
    assert record.node_ports == (0,)
    assert "every node port is taken" in record.message


def test_an_external_name_has_neither_address_nor_endpoints() -> None:
    world = settled(deployment(replicas=1), service(type="ExternalName", external_name="a.example.org", ports=()))
    assert world.memory.services[WEB].cluster_ip == ""
    status = world.plan().statuses[WEB]
    assert isinstance(status, Service)
    spec = status.spec
    assert (spec.type, spec.cluster_ip, spec.external_name) == ("ExternalName", "", "a.example.org")
    assert Ref("Endpoints", WEB.namespace, WEB.name) not in world.plan().statuses
    assert world.plan().endpoints[WEB] == ()


def test_a_load_balancer_is_reached_at_the_edges_and_at_external_addresses() -> None:
    nodes = [node("node-1"), node("node-2", labels={"reconciler.dev/edge": ""})]
    world = World(desired(service(type="LoadBalancer", external_ips=("192.0.2.1",)), nodes=nodes))
    status = world.plan().statuses[WEB]
    assert isinstance(status, Service)
    assert load_balancer_addresses(status.status.load_balancer) == ("node-2.example",)
    assert status.spec.external_ips == ("192.0.2.1",)


def test_a_service_that_publishes_what_is_not_ready_waits_for_no_answer() -> None:
    world = settled(deployment(replicas=1), service(publish_not_ready_addresses=True), service("other"))
    world.forget_volatile()
    deaf(world)
    assert [endpoint.ready for endpoint in world.plan().endpoints[WEB]] == [True]
    status = next(status for status in world.plan().statuses.values() if isinstance(status, Pod))
    assert is_pod_ready(status), "and so nothing else does because of it"


def test_a_probe_that_fails_takes_no_pod_out_where_all_are_published() -> None:
    probed = container(cpu="10m", ports=(ContainerPort(8080, "http"),), readiness_probe=Probe())
    selecting = service("other", publish_not_ready_addresses=True)
    selecting = replace(selecting, spec=replace(selecting.spec, selector={"app": "web"}))
    world = settled(deployment(replicas=1, containers=(probed,)), service(), selecting)
    (running,) = world.containers()
    world.change(lambda each: replace(each, probed=Probed(started=True)), container=running.name)
    step = world.plan()
    assert [endpoint.ready for endpoint in step.endpoints[WEB]] == [False]
    assert [endpoint.ready for endpoint in step.endpoints[OTHER]] == [True]


def test_a_pod_that_leaves_is_out_of_rotation_even_where_all_are_published() -> None:
    world = settled(deployment(replicas=1), service(publish_not_ready_addresses=True))
    world.wanted = desired(
        deployment(replicas=0), service(publish_not_ready_addresses=True), nodes=2, revision="r2"
    )
    assert [endpoint.ready for endpoint in world.plan().endpoints[WEB]] == [False]
