"""A Service: one stable name and address for pods that come and go."""

from reconciler.kinds.kind import Kind
from reconciler.model.kinds import Names
from reconciler.model.objects import Service

SERVICE = Kind(
    names=Names(kind="Service", plural="services", short=("svc",), subresources=("status",)), type=Service
)
