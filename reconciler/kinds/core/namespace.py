"""A Namespace: a scope for the names of other objects."""

from reconciler.kinds.kind import Kind
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.kinds import Names

NAMESPACE = Kind(
    names=Names(kind="Namespace", plural="namespaces", short=("ns",), namespaced=False), type=Namespace
)
