"""How Services, and who answers for them, are shown."""

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.model.api.core.endpoints import Endpoints
from reconciler.model.api.core.service import Service, load_balancer_addresses
from reconciler.model.api.meta import message_of, ref_of
from reconciler.model.names import Ref
from reconciler.model.sections import ServiceSection
from reconciler.reporting.describing.page import Entry, entry, events_entry, joined, known, named, page
from reconciler.reporting.describing.traffic import traffic_entries
from reconciler.reporting.lines import Line
from reconciler.reporting.view import NONE, Column, Context, View, age_column, age_of, name_column

_SHOWN: Final = 3
"""How many addresses of many a table shows, unless it is wide."""


def _message(service: Service) -> str:
    """What it asks for and has not got."""
    return message_of(service.status.conditions, "Allocated")


def _external(service: Service) -> tuple[str, ...]:
    """Where it is reached from outside; what an ExternalName stands for."""
    if service.spec.type == "ExternalName":
        return (service.spec.external_name,)
    return (*load_balancer_addresses(service.status.load_balancer), *service.spec.external_ips)


def _ports(service: Service, _: Context) -> str:
    """`80:30080/TCP`, as kubectl writes them."""
    ports = [
        f"{port.port}:{port.node_port}/{port.protocol}" if port.node_port else f"{port.port}/{port.protocol}"
        for port in service.spec.ports
    ]
    return ",".join(ports) or NONE


def _addresses(endpoints: Endpoints) -> list[str]:
    """`10.244.1.7:8080` for each address and port; of a Service without ports the addresses alone."""
    return [
        f"{address.ip}:{port.port}" if port is not None else address.ip
        for subset in endpoints.subsets
        for address in subset.addresses
        for port in (subset.ports or (None,))
    ]


def _endpoints(service: Service, context: Context) -> list[str]:
    found = context.objects.get(Ref("Endpoints", service.metadata.namespace, service.metadata.name))
    return _addresses(found) if isinstance(found, Endpoints) else []


def _listed(values: Sequence[str], context: Context) -> str:
    """As kubectl lists endpoints: `a,b,c + 2 more...`."""
    shown = values if context.wide else values[:_SHOWN]
    more = f" + {len(values) - len(shown)} more..." if len(values) > len(shown) else ""
    return ",".join(shown) + more or NONE


def _age_of_service(endpoints: Endpoints, context: Context) -> str:
    service = context.objects.get(Ref("Service", endpoints.metadata.namespace, endpoints.metadata.name))
    return age_of(service.metadata if service is not None else endpoints.metadata, context.now)


def _describe(service: Service, context: Context) -> list[Line]:
    spec, ref = service.spec, ref_of(service)
    sections = [ServiceSection(ref, port.name or str(port.port)) for port in spec.ports]
    return page(
        [
            *named(service.metadata),
            entry("Selector", joined(spec.selector)),
            entry("Type", spec.type),
            entry("IP", spec.cluster_ip or NONE),
            *_outside(service),
            *known("Message", _message(service)),
            *_port_entries(service),
            Entry("Endpoints", tuple(_endpoints(service, context)) or (NONE,)),
            entry("Session Affinity", _affinity(service)),
            *_policies(service),
            *traffic_entries(sections, context.traffic),
            events_entry(context.events, context.now),
        ]
    )


def _outside(service: Service) -> Iterator[Entry]:
    spec = service.spec
    if spec.type == "ExternalName":
        yield from known("External Name", spec.external_name)
        return
    if spec.external_ips:
        yield entry("External IPs", ",".join(spec.external_ips))
    if spec.type == "LoadBalancer":
        balancer = load_balancer_addresses(service.status.load_balancer)
        yield entry("LoadBalancer Ingress", ", ".join(balancer) or NONE)


def _port_entries(service: Service) -> Iterator[Entry]:
    """The node port is the one that was given, whether the manifest names it or not."""
    for port in service.spec.ports:
        name = port.name or "<unset>"
        yield entry("Port", f"{name}  {port.port}/{port.protocol}")
        yield entry("TargetPort", f"{port.target_port or port.port}/{port.protocol}")
        yield from known("AppProtocol", port.app_protocol)
        if port.node_port:
            yield entry("NodePort", f"{name}  {port.node_port}/{port.protocol}")


def _affinity(service: Service) -> str:
    kind = service.spec.session_affinity
    seconds = service.spec.session_affinity_config.client_ip.timeout_seconds
    return f"{kind} ({seconds}s)" if kind != "None" else kind


def _policies(service: Service) -> Iterator[Entry]:
    spec = service.spec
    if spec.type in ("NodePort", "LoadBalancer") or spec.external_ips:
        yield entry("External Traffic Policy", spec.external_traffic_policy)
    if spec.type != "ExternalName":
        yield entry("Internal Traffic Policy", spec.internal_traffic_policy)
    yield from known("LoadBalancer Source Ranges", ",".join(spec.load_balancer_source_ranges))
    if spec.publish_not_ready_addresses:
        yield entry("Publish Not Ready Addresses", "true")


SERVICE_VIEW: Final = View[Service](
    columns=(
        name_column(),
        Column("TYPE", lambda service, _: service.spec.type),
        Column("CLUSTER-IP", lambda service, _: service.spec.cluster_ip or NONE),
        Column("EXTERNAL-IP", lambda service, context: _listed(_external(service), context)),
        Column("PORT(S)", _ports),
        age_column(),
        Column("ENDPOINTS", lambda service, context: _listed(_endpoints(service, context), context), priority=1),
        Column("MESSAGE", lambda service, _: _message(service) or NONE, priority=1),
    ),
    describe=_describe,
)

ENDPOINTS_VIEW: Final = View[Endpoints](
    columns=(
        name_column(),
        Column("ENDPOINTS", lambda endpoints, context: _listed(_addresses(endpoints), context)),
        Column("AGE", _age_of_service, "date"),
    )
)
