"""Endpoints: who answers for a Service, as addresses and ports."""

from typing import Literal

from msgspec import Struct

from reconciler.model.api.meta import ObjectMeta


class ObjectReference(Struct, frozen=True, rename="camel", omit_defaults=True):
    """An object that is pointed at."""

    kind: str
    namespace: str
    name: str
    uid: str = ""


class EndpointAddress(Struct, frozen=True, rename="camel", omit_defaults=True):
    """An address at which a Service is answered."""

    ip: str
    hostname: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None
    """The pod, where it is one."""


class EndpointPort(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A port at which a Service is answered."""

    port: int
    name: str = ""
    protocol: Literal["TCP"] = "TCP"


class EndpointSubset(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Every one of these addresses answers at every one of these ports."""

    addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who answers for the Service of the same name, in rotation. No manifest holds any."""

    metadata: ObjectMeta
    subsets: tuple[EndpointSubset, ...] = ()
