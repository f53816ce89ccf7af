"""Which Ingresses are served here, and where they lead."""

from typing import Final

from reconciler.model.api.networking import Ingress, IngressSpec
from reconciler.model.names import ANNOTATION_CLASS

OUR_CLASSES: Final = ("", "reconciler", "haproxy")
"""The classes of Ingresses that are served here; one of any other class is left to another controller."""


def backend_services(spec: IngressSpec) -> frozenset[str]:
    """The names of the Services that it leads to."""
    backends = [path.backend for rule in spec.rules for path in rule.http.paths]
    if spec.default_backend is not None:
        backends.append(spec.default_backend)
    return frozenset(backend.service.name for backend in backends)


def ingress_class(ingress: Ingress) -> str:
    """Empty: it names none."""
    return ingress.spec.ingress_class_name or ingress.metadata.annotations.get(ANNOTATION_CLASS, "")


def is_served_here(ingress: Ingress) -> bool:
    return ingress_class(ingress) in OUR_CLASSES
