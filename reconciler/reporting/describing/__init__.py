"""Everything known of one object on one page, laid out as `kubectl describe` does."""

from reconciler.reporting.describing.objects import (
    describe_claim,
    describe_deployment,
    describe_ingress,
    describe_node,
)
from reconciler.reporting.describing.pods import describe_pod
from reconciler.reporting.describing.services import describe_service

__all__ = [
    "describe_claim",
    "describe_deployment",
    "describe_ingress",
    "describe_node",
    "describe_pod",
    "describe_service",
]
