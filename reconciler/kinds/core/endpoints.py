"""Endpoints: who answers for a Service. They are read off the Service's status; no manifest holds any."""

from reconciler.kinds.kind import Kind
from reconciler.model.kinds import Names
from reconciler.model.plan import ServiceStatus

ENDPOINTS = Kind(
    names=Names(kind="Endpoints", plural="endpoints", short=("ep",), hint="of each service, who answers for it"),
    type=ServiceStatus,
)
