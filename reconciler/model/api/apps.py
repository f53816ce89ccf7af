"""The types of the API group apps."""

from typing import Literal, TypeAlias

from msgspec import Struct

from reconciler.model.api.core.pod import PodTemplateSpec
from reconciler.model.api.meta import ObjectMeta

IntOrPercent: TypeAlias = int | str
"""`2`, or `25%`: of the wanted replicas, rounded up for a surge and down for unavailability."""


class MatchLabelsSelector(Struct, frozen=True, rename="camel"):
    """A label selector without expressions, as workloads have it here."""

    match_labels: dict[str, str] = {}


class RollingUpdateDeployment(Struct, frozen=True, rename="camel"):
    max_surge: IntOrPercent = "25%"
    max_unavailable: IntOrPercent = "25%"


class DeploymentStrategy(Struct, frozen=True, rename="camel"):
    type: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    rolling_update: RollingUpdateDeployment | None = None
    """Of RollingUpdate alone; its defaults where absent."""


class DeploymentSpec(Struct, frozen=True, rename="camel"):
    selector: MatchLabelsSelector
    template: PodTemplateSpec
    replicas: int = 1
    strategy: DeploymentStrategy = DeploymentStrategy()
    min_ready_seconds: int = 0
    paused: bool = False


class Deployment(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    spec: DeploymentSpec
