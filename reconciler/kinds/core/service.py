"""A Service: one stable name and address for pods that come and go."""

from reconciler.kinds.kind import Kind
from reconciler.model.api.core.service import Service
from reconciler.model.kinds import Names

SERVICE = Kind(
    names=Names(kind="Service", plural="services", short=("svc",), subresources=("status",)), type=Service
)
