"""The types of the API group discovery.k8s.io."""

from typing import Final, Literal

from msgspec import Struct

from reconciler.model.api.meta import ObjectMeta
from reconciler.model.names import Ref

LABEL_SERVICE_NAME: Final = "kubernetes.io/service-name"
"""The label of an EndpointSlice that names the Service whose endpoints it holds."""

LABEL_MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
"""On an EndpointSlice: who changes it."""


class EndpointConditions(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Whether an endpoint takes connections."""

    ready: bool = True


class SliceEndpoint(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One who answers for a Service."""

    addresses: tuple[str, ...]
    """The first one is used, as by kube-proxy: they all lead to the same."""
    conditions: EndpointConditions = EndpointConditions()
    hostname: str = ""
    node_name: str = ""


class SlicePort(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A port at which the endpoints of a slice listen."""

    port: int
    name: str = ""
    """The name of the Service's port."""
    protocol: Literal["TCP"] = "TCP"


class EndpointSlice(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who answers for a Service without a selector."""

    metadata: ObjectMeta
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()
    address_type: Literal["IPv4"] = "IPv4"


def service_of(endpoint_slice: EndpointSlice) -> Ref:
    """The Service that an EndpointSlice belongs to, by its label; every one that is accepted has it."""
    meta = endpoint_slice.metadata
    return Ref("Service", meta.namespace, meta.labels.get(LABEL_SERVICE_NAME, ""))
