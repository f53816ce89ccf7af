"""A Namespace: a scope for the names of other objects."""

from reconciler.kinds.kind import Kind
from reconciler.model.kinds import Names
from reconciler.model.objects import Namespace

NAMESPACE = Kind(
    names=Names(kind="Namespace", plural="namespaces", short=("ns",), namespaced=False), type=Namespace
)
