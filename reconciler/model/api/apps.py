"""The types of the API group apps."""

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaimSpec
from reconciler.model.api.core.pod import PodTemplateSpec
from reconciler.model.api.meta import Condition, ObjectMeta

IntOrPercent: TypeAlias = int | str
"""`2`, or `25%`: of the wanted replicas, rounded up for a surge and down for unavailability."""


LABEL_TEMPLATE_HASH: Final = "pod-template-hash"
"""The label of a Deployment's pods that says which of its ReplicaSets they are of."""
ANNOTATION_REVISION: Final = "deployment.kubernetes.io/revision"
"""The annotation of a ReplicaSet that says how its template is counted among those of its Deployment, and of a
Deployment with the number of its newest ReplicaSet."""


class MatchLabelsSelector(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """A label selector without expressions, as workloads have it here."""

    match_labels: dict[str, str] = {}


class RollingUpdateDeployment(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How many pods may be missing, or there beyond the wanted ones, while pods are replaced."""

    max_surge: IntOrPercent = "25%"
    max_unavailable: IntOrPercent = "25%"


class DeploymentStrategy(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How pods of an old template are replaced by those of a new one."""

    type: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    rolling_update: RollingUpdateDeployment | None = None
    """How a RollingUpdate goes on; its defaults if it is absent."""


class DeploymentSpec(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """How many pods of which template a Deployment keeps."""

    selector: MatchLabelsSelector
    template: PodTemplateSpec
    replicas: int = 1
    strategy: DeploymentStrategy = DeploymentStrategy()
    min_ready_seconds: int = 0
    paused: bool = False
    revision_history_limit: int = 10
    """How many ReplicaSets without pods are kept beside the present one."""


class DeploymentStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How far a Deployment has come. Pods that are about to go count for nothing."""

    observed_generation: int = 0
    """The generation that the rest is about; 0 in a plan, as generations are given where objects are published."""
    replicas: int = 0
    """All of its pods that stay."""
    updated_replicas: int = 0
    """Its pods of the present template."""
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    conditions: tuple[Condition, ...] = ()
    """Available, whose message names what keeps pods from being so; and Progressing."""


class Deployment(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """So many pods of one template, replaced a few at a time when the template changes."""

    metadata: ObjectMeta
    spec: DeploymentSpec
    status: DeploymentStatus = DeploymentStatus()

    @property
    def is_rolled_out(self) -> bool:
        """Whether it has as many pods as it asks for, all of the present template and available."""
        status = self.status
        counts = status.updated_replicas, status.available_replicas, status.replicas
        return all(count == self.spec.replicas for count in counts)


class ReplicaSetSpec(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How many pods of one template a ReplicaSet has now, on the way of its Deployment's rollout."""

    selector: MatchLabelsSelector
    template: PodTemplateSpec
    replicas: int = 1
    min_ready_seconds: int = 0


class ReplicaSetStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How the pods of a ReplicaSet stand. Pods that are about to go count for nothing."""

    replicas: int = 0
    fully_labeled_replicas: int = 0
    """Its pods that have all labels of its template."""
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_generation: int = 0
    """The generation that the rest is about; 0 in a plan, as generations are given where objects are published."""


class ReplicaSet(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The pods of one template that a Deployment has, or has had."""

    metadata: ObjectMeta
    spec: ReplicaSetSpec
    status: ReplicaSetStatus = ReplicaSetStatus()


class RollingUpdateStatefulSetStrategy(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Which pods are replaced by those of a new template, and how many at a time."""

    partition: int = 0
    """Pods of a lower ordinal, counted from the first one, keep the template that they have."""
    max_unavailable: IntOrPercent = 1
    """A percentage is rounded up."""


class StatefulSetUpdateStrategy(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What becomes of pods whose template changes."""

    type: Literal["RollingUpdate", "OnDelete"] = "RollingUpdate"
    rolling_update: RollingUpdateStatefulSetStrategy | None = None
    """How a RollingUpdate goes on; its defaults if it is absent."""


class StatefulSetOrdinals(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How pods are numbered."""

    start: int = 0


class StatefulSetPersistentVolumeClaimRetentionPolicy(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What becomes of the claims that were made from templates, and of their data."""

    when_deleted: Literal["Retain", "Delete"] = "Retain"
    """Once the StatefulSet is gone."""
    when_scaled: Literal["Retain", "Delete"] = "Retain"
    """Once their pod is one too many."""


class VolumeClaimTemplateMeta(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The name of a pod's volume, and what the claims for it have."""

    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class VolumeClaimTemplate(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A claim that each pod has for itself, as a volume of the same name."""

    metadata: VolumeClaimTemplateMeta
    spec: PersistentVolumeClaimSpec


class StatefulSetSpec(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How many pods of which template a StatefulSet keeps, and what each of them has for itself."""

    selector: MatchLabelsSelector
    template: PodTemplateSpec
    service_name: str = ""
    """The headless Service by which each pod has a name of its own."""
    replicas: int = 1
    update_strategy: StatefulSetUpdateStrategy = StatefulSetUpdateStrategy()
    pod_management_policy: Literal["OrderedReady", "Parallel"] = "OrderedReady"
    volume_claim_templates: tuple[VolumeClaimTemplate, ...] = ()
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy = (
        StatefulSetPersistentVolumeClaimRetentionPolicy()
    )
    ordinals: StatefulSetOrdinals = StatefulSetOrdinals()
    min_ready_seconds: int = 0
    revision_history_limit: int = 10
    """How many templates without pods are remembered beside the present one."""


class StatefulSetStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How far a StatefulSet has come. Pods that are about to go count for nothing."""

    observed_generation: int = 0
    """The generation that the rest is about; 0 in a plan, as generations are given where objects are published."""
    replicas: int = 0
    """All of its pods that stay."""
    ready_replicas: int = 0
    current_replicas: int = 0
    """Its pods of the template that it had before its rollout began; of the present one when there is none."""
    updated_replicas: int = 0
    """Its pods of the present template."""
    available_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    conditions: tuple[Condition, ...] = ()
    """Available, whose message names what keeps pods from being so."""


class StatefulSet(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Pods that are one of a kind each: of one template, with names, claims and an order that stay."""

    metadata: ObjectMeta
    spec: StatefulSetSpec
    status: StatefulSetStatus = StatefulSetStatus()

    @property
    def is_rolled_out(self) -> bool:
        """Whether it has as many pods as it asks for, all available, and as many of the present template as its
        update strategy replaces."""
        spec, status = self.spec, self.status
        if not spec.replicas == status.replicas == status.available_replicas:
            return False
        if spec.update_strategy.type == "OnDelete":
            return True
        rolling = spec.update_strategy.rolling_update or RollingUpdateStatefulSetStrategy()
        return status.updated_replicas >= spec.replicas - rolling.partition


Replicated: TypeAlias = Deployment | StatefulSet
"""An object that keeps so many pods of one template, and counts them in its status."""
REPLICATED: Final = (Deployment, StatefulSet)
"""The types of such objects."""
