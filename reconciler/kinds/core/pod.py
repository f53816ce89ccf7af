"""A Pod: containers that run together on one node and share an address."""

from reconciler.kinds.kind import Kind
from reconciler.model.api.core.pod import Pod
from reconciler.model.kinds import Names

POD = Kind(names=Names(kind="Pod", plural="pods", short=("po",), subresources=("status",)), type=Pod)
