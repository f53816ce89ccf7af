"""The parts of Services and EndpointSlices, and the settings that a Service's annotations make.

Rules: https://kubernetes.io/docs/concepts/services-networking/service/
"""

from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

ServiceType: TypeAlias = Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
TrafficPolicy: TypeAlias = Literal["Cluster", "Local"]
PortProtocol: TypeAlias = Literal["tcp", "http", "h2c"]
"""How a port is balanced: by connection, or by request; h2c: by request, with HTTP/2 in the clear to the pods."""
ServiceBalance: TypeAlias = Literal["roundrobin", "leastconn", "source", "random"]

LABEL_SERVICE_NAME: Final = "kubernetes.io/service-name"
"""On an EndpointSlice: whose endpoints it holds."""

_BY_REQUEST: Final = frozenset({"http", "ws", "kubernetes.io/ws"})
_H2C: Final = frozenset({"h2c", "http2", "grpc", "kubernetes.io/h2c"})


class ClientIpConfig(Struct, frozen=True, rename="camel"):
    timeout_seconds: int = 10800


class SessionAffinityConfig(Struct, frozen=True, rename="camel"):
    client_ip: ClientIpConfig = field(default=ClientIpConfig(), name="clientIP")


class ServiceOptions(Struct, frozen=True):
    """The annotations `reconciler.dev/…` of a Service, read by `manifests.service_annotations`."""

    protocol: Literal["", "tcp", "http"] = ""
    """Of every port; empty: each port's appProtocol decides."""
    proxy_protocol: bool = False
    """Pods are told the client's address by PROXY protocol, version 2."""
    slow_start: int = 0
    """Milliseconds in which a pod that became ready takes up its full share; 0: at once."""
    balance: ServiceBalance = "roundrobin"


class EndpointConditions(Struct, frozen=True, rename="camel"):
    ready: bool = True


class SliceEndpoint(Struct, frozen=True, rename="camel"):
    addresses: tuple[str, ...]
    """The first one is used, as by kube-proxy: they all lead to the same."""
    conditions: EndpointConditions = EndpointConditions()
    hostname: str = ""
    node_name: str = ""


class SlicePort(Struct, frozen=True, rename="camel"):
    port: int
    name: str = ""
    """That of the Service's port."""
    protocol: Literal["TCP"] = "TCP"


def protocol_of(options: ServiceOptions, app_protocol: str) -> PortProtocol:
    """The annotation decides; `http` of it leaves what appProtocol says of HTTP/2. Whatever else there is inside
    of a connection, TLS above all, is passed on as it is."""
    named = app_protocol.lower()
    if options.protocol != "tcp" and named in _H2C:
        return "h2c"
    if options.protocol == "http" or (not options.protocol and named in _BY_REQUEST):
        return "http"
    return "tcp"
