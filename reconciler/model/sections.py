"""How HAProxy's sections are named after what they serve: `services` writes the names, whoever reads its
statistics takes them apart. No name of Kubernetes has a `_`, so no two things share one."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from reconciler.model.names import Ref

ServiceWay: TypeAlias = Literal["", "external", "edge"]
"""The ways to reach a port that have a section of their own: from outside (node ports, external addresses), and at
the edges. Empty: the virtual address, and every other way that is treated like it."""

_INGRESS: Final = "ingress"
_HTTPS: Final = "https"
_WAYS: Final[dict[str, ServiceWay]] = {"external": "external", "edge": "edge"}


class ServiceSection(Struct, frozen=True, order=True):
    """`namespace_service_port`, with `_external` or `_edge`."""

    service: Ref
    port: str
    """Its name, or its number where it has none."""
    way: ServiceWay = ""

    @property
    def name(self) -> str:
        return "_".join((*self.service[1:], self.port, *((self.way,) if self.way else ())))


class IngressSection(Struct, frozen=True, order=True):
    """`ingress_namespace_ingress_service_port`, with `_https`."""

    ingress: Ref
    service: str
    """Its name; it is of the Ingress's namespace."""
    port: str
    https_only: bool = False
    """Plain requests are sent to https."""

    @property
    def name(self) -> str:
        words = (_INGRESS, *self.ingress[1:], self.service, self.port)
        return "_".join((*words, *((_HTTPS,) if self.https_only else ())))


Section: TypeAlias = ServiceSection | IngressSection


def section_called(name: str) -> Section | None:
    """Find what a section of HAProxy's configuration serves; None if it serves nothing by itself, as the frontend
    of the Ingresses.
    """
    match name.split("_"):
        case [namespace, service, port]:
            return ServiceSection(Ref("Service", namespace, service), port)
        case [namespace, service, port, way] if way in _WAYS:
            return ServiceSection(Ref("Service", namespace, service), port, _WAYS[way])
        case [first, namespace, ingress, service, port] if first == _INGRESS:
            return IngressSection(Ref("Ingress", namespace, ingress), service, port)
        case [first, namespace, ingress, service, port, last] if (first, last) == (_INGRESS, _HTTPS):
            return IngressSection(Ref("Ingress", namespace, ingress), service, port, https_only=True)
    return None


def sections_of(ref: Ref) -> str:
    """What the names of a Service's, or an Ingress's, sections begin with."""
    return "_".join((*((_INGRESS,) if ref.kind == "Ingress" else ()), *ref[1:], ""))
