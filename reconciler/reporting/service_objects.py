"""A Service's status as Kubernetes objects: the Service, and its Endpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.model.acme import IssuedCertificate
from reconciler.model.plan import ServiceStatus
from reconciler.reporting.moments import rfc3339

_Object = dict[str, Any]
_NO_PORTS: Sequence[Mapping[str, Any]] = ()


def service_object(service: ServiceStatus, written: Sequence[Mapping[str, Any]] = _NO_PORTS) -> _Object:
    """`written`: its ports as in the manifest, which say more of each than the status does."""
    spec: _Object = {"type": service.type}
    if service.cluster_ip:
        spec["clusterIP"] = service.cluster_ip
    if service.type == "ExternalName":
        spec["externalName"] = "".join(service.external)
    ports = [_port(text) for text in service.ports]
    if len(written) == len(ports):
        ports = [{**port, **shown} for port, shown in zip(written, ports, strict=True)]
    spec["ports"] = ports
    status: _Object = {"endpoints": list(service.endpoints)}
    if service.type == "LoadBalancer":
        status["loadBalancer"] = {"ingress": [_reached(address) for address in service.external]}
    if service.message:
        status["message"] = service.message
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(service), "spec": spec, "status": status}


def endpoints_object(service: ServiceStatus) -> _Object:
    """Upstream's Endpoints of the same name: a subset for each port of the pods."""
    by_port: dict[str, list[str]] = {}
    for endpoint in service.endpoints:
        ip, _, port = endpoint.partition(":")
        by_port.setdefault(port, []).append(ip)
    subsets = [
        {"addresses": [{"ip": ip} for ip in ips], **({"ports": [{"port": int(port)}]} if port else {})}
        for port, ips in by_port.items()
    ]
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": _metadata(service), "subsets": subsets}


def _metadata(service: ServiceStatus) -> _Object:
    created = {"creationTimestamp": rfc3339(service.created)} if service.created else {}
    return {"name": service.ref.name, "namespace": service.ref.namespace, **created}


def _reached(address: str) -> _Object:
    return {"ip": address} if address.replace(".", "").isdigit() else {"hostname": address}


def _port(text: str) -> _Object:
    """`80:30080/TCP`, read back."""
    numbers, _, protocol = text.partition("/")
    port, _, node_port = numbers.partition(":")
    return {
        "port": int(port),
        **({"nodePort": int(node_port)} if node_port else {}),
        "protocol": protocol or "TCP",
    }


def certificate_objects(issued: Mapping[str, IssuedCertificate]) -> list[dict[str, Any]]:
    """Those of an ACME server, by the name of the Secret that each stands for; nothing here is secret."""
    return [
        {
            "secretName": name,
            "hosts": list(one.names),
            "issuer": one.server,
            "notBefore": rfc3339(one.not_before),
            "notAfter": rfc3339(one.not_after),
        }
        for name, one in sorted(issued.items())
    ]
