"""An EndpointSlice: who answers for a Service that selects no pods."""

from reconciler.kinds.kind import Kind
from reconciler.model.api.discovery import EndpointSlice
from reconciler.model.kinds import Names

ENDPOINT_SLICE = Kind(
    names=Names(kind="EndpointSlice", plural="endpointslices", group="discovery.k8s.io"), type=EndpointSlice
)
