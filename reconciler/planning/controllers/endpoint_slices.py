"""The endpoints of Services without a selector: what their EndpointSlices say, as it is."""

from collections.abc import Iterator, Sequence

from reconciler.model.api.core.service import Service
from reconciler.model.api.discovery import EndpointSlice, service_of
from reconciler.model.desired import Desired
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint


def slice_endpoints(desired: Desired) -> dict[Ref, tuple[Endpoint, ...]]:
    """Return the endpoints, by name, of each Service that has any EndpointSlice. An address with other ports is
    another endpoint.
    """
    slices: dict[Ref, list[EndpointSlice]] = {}
    for ref in sorted(desired.of(EndpointSlice)):
        found = desired.of(EndpointSlice)[ref]
        slices.setdefault(service_of(found), []).append(found)
    return {
        ref: tuple(sorted(_endpoints(desired.of(Service)[ref], own), key=lambda endpoint: endpoint.pod))
        for ref, own in slices.items()
        if ref in desired.of(Service)
    }


def _endpoints(service: Service, slices: Sequence[EndpointSlice]) -> Iterator[Endpoint]:
    known: set[tuple[str, tuple[int, ...]]] = set()
    names: set[str] = set()
    for each in slices:
        ports = {port.name: port.port for port in each.ports}
        numbers = tuple(ports.get(port.name, 0) for port in service.spec.ports)
        for endpoint in each.endpoints:
            ip = endpoint.addresses[0]
            if (ip, numbers) not in known:
                known.add((ip, numbers))
                name = _free(endpoint.hostname or ip.replace(".", "-"), names)
                yield Endpoint("", name, endpoint.node_name, ip, numbers, endpoint.conditions.ready)


def _free(name: str, taken: set[str]) -> str:
    """The name, or the first of `name-2`, `name-3`… that no other endpoint has."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free
