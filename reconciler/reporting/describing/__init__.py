"""Everything known of one object on one page, laid out as `kubectl describe` does."""

from reconciler.reporting.describing.objects import (
    describe_claim,
    describe_deployment,
    describe_ingress,
    describe_node,
    describe_service,
)
from reconciler.reporting.describing.pods import describe_pod

__all__ = [
    "describe_claim",
    "describe_deployment",
    "describe_ingress",
    "describe_node",
    "describe_pod",
    "describe_service",
]
