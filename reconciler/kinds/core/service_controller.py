"""What planning does with Services: their addresses and ports are chosen once, and their Endpoints made."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from msgspec.structs import replace

from reconciler.kinds.core.service_addresses import record_services
from reconciler.model.api.core.endpoints import (
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    ObjectReference,
)
from reconciler.model.api.core.service import LoadBalancerStatus, Service, ServiceStatus, load_balancer_ingress
from reconciler.model.api.meta import Condition, ObjectMeta, ref_of
from reconciler.model.memory import ServiceRecord
from reconciler.model.plan import Endpoint, Status
from reconciler.model.services import is_headless
from reconciler.planning.controller import ClusterState, Controller


def _status(service: Service, state: ClusterState) -> Iterator[Status]:
    ref = ref_of(service)
    yield _service(service, state.memory.services[ref], state.edges)
    if service.spec.type != "ExternalName":
        yield _endpoints(service, state.endpoints[ref])


def _service(service: Service, record: ServiceRecord, edges: tuple[str, ...]) -> Service:
    """A Service with the address and the node ports that it has. `edges`: where a load balancer is reached."""
    spec = service.spec
    address = spec.cluster_ip if is_headless(service) else record.cluster_ip
    ports = tuple(
        port if port.node_port == given else replace(port, node_port=given)
        for port, given in zip(spec.ports, record.node_ports, strict=True)
    )
    if (address, ports) != (spec.cluster_ip, spec.ports):
        spec = replace(spec, cluster_ip=address, ports=ports)
    balancer = tuple(load_balancer_ingress(one) for one in edges) if spec.type == "LoadBalancer" else ()
    refused = (Condition("Allocated", "False", "NotAvailable", record.message),) if record.message else ()
    return replace(service, spec=spec, status=ServiceStatus(LoadBalancerStatus(balancer), refused))


def _endpoints(service: Service, endpoints: Sequence[Endpoint]) -> Endpoints:
    """Who answers for a Service, in rotation, in the order given: those with the same ports are one subset."""
    subsets = []
    ready = [one for one in endpoints if one.ready]
    for numbers, same in groupby(ready, key=attrgetter("ports")):
        ports = tuple(
            EndpointPort(number, port.name)
            for number, port in zip(numbers, service.spec.ports, strict=False)
            if number
        )
        if ports or not service.spec.ports:
            subsets.append(EndpointSubset(tuple(_address(service, one) for one in same), ports))
    meta = service.metadata
    return Endpoints(ObjectMeta(meta.name, meta.namespace), tuple(subsets))


def _address(service: Service, endpoint: Endpoint) -> EndpointAddress:
    target = (
        ObjectReference("Pod", service.metadata.namespace, endpoint.pod, endpoint.uid) if endpoint.uid else None
    )
    return EndpointAddress(endpoint.ip, endpoint.hostname, endpoint.node, target)


SERVICE_CONTROLLER = Controller(type=Service, status=_status, record=record_services)
