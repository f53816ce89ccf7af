"""Services without a selector: who answers is what their EndpointSlices say."""

from reconciler.model.api.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.discovery import (
    LABEL_SERVICE_NAME,
    EndpointConditions,
    EndpointSlice,
    SliceEndpoint,
    SlicePort,
)
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.services.layer import node_setups
from tests.simulated import World, deployment, desired, service

DB = Ref("Service", "default", "db")
PORTS = (ServicePort(5432, "sql"), ServicePort(80, "web"))


def endpoint_slice(name: str, *endpoints: SliceEndpoint, ports: tuple[SlicePort, ...]) -> EndpointSlice:
    return EndpointSlice(ObjectMeta(name, "default", {LABEL_SERVICE_NAME: "db"}), endpoints, ports)


def database() -> Service:
    return Service(ObjectMeta("db", "default"), ServiceSpec(PORTS))


def settled(*slices: EndpointSlice) -> World:
    world = World(desired(deployment(), service(), database(), *slices, nodes=2))
    world.settle()
    return world


SQL = (SlicePort(15432, "sql"),)


def test_an_endpoint_has_the_ports_of_the_same_names_and_a_name_of_its_own() -> None:
    first = SliceEndpoint(("192.0.2.7",), hostname="db-1", node_name="node-001")
    second = SliceEndpoint(("192.0.2.8",), EndpointConditions(ready=False))
    world = settled(endpoint_slice("a", first, second, ports=SQL))
    assert world.plan().endpoints[DB] == (
        Endpoint("", "192-0-2-8", "", "192.0.2.8", (15432, 0), ready=False),
        Endpoint("", "db-1", "node-001", "192.0.2.7", (15432, 0), ready=True),
    )
    found = world.plan().statuses[Ref("Endpoints", DB.namespace, DB.name)]
    assert isinstance(found, Endpoints)
    address = EndpointAddress("192.0.2.7", node_name="node-001")
    assert found.subsets == (EndpointSubset((address,), (EndpointPort(15432, "sql"),)),)


def test_no_two_endpoints_of_a_service_have_one_name() -> None:
    same = SliceEndpoint(("192.0.2.7",))
    other = endpoint_slice("b", same, ports=(SlicePort(8080, "web"),))
    world = settled(endpoint_slice("a", same, same, ports=SQL), endpoint_slice("a2", same, ports=SQL), other)
    found = world.plan().endpoints[DB]
    assert [(endpoint.pod, endpoint.ports) for endpoint in found] == [
        ("192-0-2-7", (15432, 0)),
        ("192-0-2-7-2", (0, 8080)),
    ]


def test_no_host_tries_the_ports_of_what_is_no_pod() -> None:
    """A manifest could have it knock at any door."""
    endpoint = SliceEndpoint(("192.0.2.7",), node_name="node-001")
    world = settled(endpoint_slice("a", endpoint, ports=SQL))
    step = world.plan()
    checks = {
        check
        for setup in node_setups(world.wanted, step.memory, step.endpoints).values()
        for check in setup.checks
    }
    assert checks
    assert not any(check.ip == "192.0.2.7" for check in checks)


def test_it_is_settled_and_stays_so() -> None:
    world = settled(endpoint_slice("a", SliceEndpoint(("192.0.2.7",)), ports=SQL))
    step = world.plan()
    assert step.converged
    assert step.work == ()
