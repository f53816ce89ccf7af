"""The settings that a Service's annotations make."""

from typing import Literal, TypeAlias

from msgspec import Struct

ServiceBalance: TypeAlias = Literal["roundrobin", "leastconn", "source", "random"]


class ServiceOptions(Struct, frozen=True):
    """The annotations `reconciler.dev/…` of a Service, read by `manifests.annotations.service`."""

    protocol: Literal["", "tcp", "http"] = ""
    """The protocol of every port; empty: each port's appProtocol decides."""
    proxy_protocol: bool = False
    """Pods are told the client's address by PROXY protocol, version 2."""
    slow_start: int = 0
    """Milliseconds in which a pod that became ready takes up its full share; 0: at once."""
    balance: ServiceBalance = "roundrobin"
