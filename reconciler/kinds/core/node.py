"""A Node: one Docker host of the cluster."""

from reconciler.kinds.core.node_admission import NODE_ADMISSION
from reconciler.kinds.core.node_view import NODE_VIEW
from reconciler.kinds.kind import Kind
from reconciler.model.api.core.node import Node
from reconciler.model.kinds import Names

NODE = Kind(
    names=Names(kind="Node", plural="nodes", short=("no",), namespaced=False, subresources=("status",)),
    type=Node,
    admission=NODE_ADMISSION,
    view=NODE_VIEW,
)
