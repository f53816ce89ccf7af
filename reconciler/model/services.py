"""How a Service's ports are balanced."""

from typing import Final, Literal, TypeAlias

from reconciler.model.api.core.service import Service, ServicePort
from reconciler.model.service_options import ServiceOptions

PortProtocol: TypeAlias = Literal["tcp", "http", "h2c"]
"""How a port is balanced: by connection, or by request; h2c: by request, with HTTP/2 in the clear to the pods."""


_BY_REQUEST: Final = frozenset({"http", "ws", "kubernetes.io/ws"})


_H2C: Final = frozenset({"h2c", "http2", "grpc", "kubernetes.io/h2c"})


def is_headless(service: Service) -> bool:
    """It has a name and no address: clients find its pods' own."""
    return service.spec.cluster_ip == "None"


def port_protocol(service: Service, port: ServicePort) -> PortProtocol:
    """How connections to the port are balanced; the one place where that is decided."""
    return protocol_of(service.options, port.app_protocol)


def protocol_of(options: ServiceOptions, app_protocol: str) -> PortProtocol:
    """The annotation decides; `http` of it leaves what appProtocol says of HTTP/2. Whatever else there is inside
    of a connection, TLS above all, is passed on as it is."""
    named = app_protocol.lower()
    if options.protocol != "tcp" and named in _H2C:
        return "h2c"
    if options.protocol == "http" or (not options.protocol and named in _BY_REQUEST):
        return "http"
    return "tcp"
