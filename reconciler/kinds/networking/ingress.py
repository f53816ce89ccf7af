"""An Ingress: which Service answers HTTP requests for a host and a path."""

from reconciler.kinds.kind import Kind
from reconciler.model.api.networking import Ingress
from reconciler.model.kinds import Names

INGRESS = Kind(
    names=Names(
        kind="Ingress", plural="ingresses", group="networking.k8s.io", short=("ing",), subresources=("status",)
    ),
    type=Ingress,
)
