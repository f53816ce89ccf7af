"""Endpoints: who answers for a Service. The reconciler makes them; no manifest holds any."""

from reconciler.kinds.core.service_view import ENDPOINTS_VIEW
from reconciler.kinds.kind import Kind
from reconciler.model.api.core.endpoints import Endpoints
from reconciler.model.kinds import Names

ENDPOINTS = Kind(
    names=Names(kind="Endpoints", plural="endpoints", short=("ep",), hint="of each service, who answers for it"),
    type=Endpoints,
    view=ENDPOINTS_VIEW,
)
