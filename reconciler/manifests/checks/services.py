"""What JSON Schema cannot say about one Service, or one EndpointSlice, without looking at any other object.

Rules: https://kubernetes.io/docs/concepts/services-networking/service/
"""

from collections.abc import Iterator

from reconciler.manifests.checks.cidrs import check_address, check_network
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.model.addresses import is_ipv4
from reconciler.model.api.core.service import Service, ServiceSpec, SessionAffinityConfig
from reconciler.model.api.discovery import LABEL_SERVICE_NAME, EndpointSlice
from reconciler.model.services import is_headless

_OPEN = ("NodePort", "LoadBalancer")
"""The types that have node ports."""


def check_service(service: Service) -> Iterator[Finding]:
    """Errors and warnings about one Service."""
    spec = service.spec
    if spec.type == "ExternalName":
        yield from _alias(spec)
    else:
        yield from _balanced(spec, headless=is_headless(service))
    yield from _ports(spec)
    if spec.session_affinity == "None" and spec.session_affinity_config != SessionAffinityConfig():
        at: Pointer = ("spec", "sessionAffinityConfig")
        yield _conflict(at, "sessionAffinity is None: no client is remembered", "write sessionAffinity: ClientIP")


def check_endpoint_slice(endpoint_slice: EndpointSlice) -> Iterator[Finding]:
    """Errors and warnings about one EndpointSlice."""
    if not endpoint_slice.metadata.labels.get(LABEL_SERVICE_NAME):
        message = f'the label "{LABEL_SERVICE_NAME}" is missing: it belongs to no Service'
        yield Finding(("metadata",), Code.MISSING_FIELD, message, "add the label, with the Service's name")
    names = [port.name for port in endpoint_slice.ports]
    for index, name in enumerate(names):
        if name in names[:index]:
            at: Pointer = ("ports", index, "name") if name else ("ports", index)
            message = f"another port is named {name}" if name else "another port has no name either"
            yield Finding(at, Code.DUPLICATE_NAME, message, "name each after its port of the Service")
    for index, endpoint in enumerate(endpoint_slice.endpoints):
        at = ("endpoints", index, "addresses")
        for number, address in enumerate(endpoint.addresses):
            yield from check_address(address, (*at, number))
        if len(endpoint.addresses) > 1:
            message = (
                f"connections go to {endpoint.addresses[0]} alone: addresses of one endpoint lead to the same"
            )
            fix = "write each as an endpoint of its own, or leave it"
            yield warning((*at, 1), Code.IGNORED_FIELD, message, fix)


def _alias(spec: ServiceSpec) -> Iterator[Finding]:
    """It is a name for a name: nothing of it passes through here."""
    if not spec.external_name:
        message = "an ExternalName stands for a name outside"
        yield Finding(("spec",), Code.MISSING_FIELD, f'"externalName" is missing: {message}', "add it")
    elif is_ipv4(spec.external_name.removesuffix(".")):
        message = f"{spec.external_name} is an address: a name can stand for names only"
        fix = "write a Service without a selector, and an EndpointSlice with the address"
        yield Finding(("spec", "externalName"), Code.INVALID_VALUE, message, fix)
    for field, given in (("clusterIP", spec.cluster_ip), ("externalIPs", spec.external_ips)):
        if given:
            yield _conflict(("spec", field), "an ExternalName has no addresses", "remove it, or the type")
    if spec.selector:
        message = "an ExternalName has no endpoints: its selector changes nothing"
        yield warning(("spec", "selector"), Code.IGNORED_FIELD, message, "remove it, or leave it", at_key=True)


def _balanced(spec: ServiceSpec, *, headless: bool) -> Iterator[Finding]:
    if spec.external_name:
        fix = "write type: ExternalName, or remove it"
        yield _conflict(("spec", "externalName"), "only an ExternalName stands for another name", fix)
    if not spec.ports and not headless:
        message = '"ports" is missing: only a headless Service and an ExternalName need none'
        yield Finding(("spec",), Code.MISSING_FIELD, message, "add at least one")
    if headless:
        yield from _headless(spec)
    yield from _outside(spec)


def _headless(spec: ServiceSpec) -> Iterator[Finding]:
    """Clients connect to its pods themselves."""
    if spec.type != "ClusterIP":
        what = "node ports" if spec.type == "NodePort" else "load balancer"
        yield _conflict(
            ("spec", "clusterIP"), f"a headless Service has no {what}", "remove clusterIP, or the type"
        )
    if spec.external_ips:
        yield _conflict(("spec", "externalIPs"), "a headless Service listens nowhere", "remove clusterIP, or them")
    if spec.session_affinity != "None":
        message = "clients of a headless Service choose a pod themselves: this changes nothing"
        at = ("spec", "sessionAffinity")
        yield warning(at, Code.IGNORED_FIELD, message, "remove it, or leave it", at_key=True)


def _outside(spec: ServiceSpec) -> Iterator[Finding]:
    """How it is reached from outside of the cluster."""
    if spec.external_traffic_policy == "Local" and spec.type not in _OPEN and not spec.external_ips:
        at: Pointer = ("spec", "externalTrafficPolicy")
        yield _conflict(at, "nothing reaches this Service from outside", "remove it, or change the type")
    if spec.type != "LoadBalancer":
        if spec.load_balancer_source_ranges:
            at = ("spec", "loadBalancerSourceRanges")
            message = "only at edges, for the type LoadBalancer, is it looked at who connects"
            yield _conflict(at, message, "write type: LoadBalancer, or remove it")
        if not spec.allocate_load_balancer_node_ports:
            at = ("spec", "allocateLoadBalancerNodePorts")
            yield _conflict(at, "this is not of type LoadBalancer", "write type: LoadBalancer, or remove it")
    for index, network in enumerate(spec.load_balancer_source_ranges):
        yield from check_network(network, ("spec", "loadBalancerSourceRanges", index))
    for index, address in enumerate(spec.external_ips):
        at = ("spec", "externalIPs", index)
        yield from check_address(address, at)
        if address in spec.external_ips[:index]:
            yield Finding(at, Code.DUPLICATE_ADDRESS, f"{address} is given twice", "keep one of them")


def _ports(spec: ServiceSpec) -> Iterator[Finding]:
    names: set[str] = set()
    numbers: set[int] = set()
    node_ports: set[int] = set()
    for index, port in enumerate(spec.ports):
        at: Pointer = ("spec", "ports", index)
        if not port.name and len(spec.ports) > 1:
            yield Finding(at, Code.MISSING_FIELD, "with several ports, each has a name", "add a name")
        if port.name and port.name in names:
            message = f"another port is named {port.name}"
            yield Finding((*at, "name"), Code.DUPLICATE_NAME, message, "give each its own name")
        if port.port in numbers:
            message = f"the port {port.port} is given twice"
            yield Finding((*at, "port"), Code.DUPLICATE_PORT, message, "give each its own number")
        if port.node_port and spec.type not in _OPEN:
            message = "only a Service of type NodePort or LoadBalancer has node ports"
            yield _conflict((*at, "nodePort"), message, "write type: NodePort, or remove it")
        if port.node_port and port.node_port in node_ports:
            message = f"the node port {port.node_port} is given twice"
            yield Finding((*at, "nodePort"), Code.DUPLICATE_PORT, message, "choose another one")
        names.add(port.name)
        numbers.add(port.port)
        node_ports.add(port.node_port)


def _conflict(at: Pointer, message: str, fix: str) -> Finding:
    return Finding(at, Code.CONFLICTING_FIELDS, message, fix)
