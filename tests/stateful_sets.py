"""StatefulSets made of values, for the planner's tests."""

from collections.abc import Iterable

from reconciler.model.api.apps import (
    MatchLabelsSelector,
    StatefulSet,
    StatefulSetSpec,
    VolumeClaimTemplate,
    VolumeClaimTemplateMeta,
)
from reconciler.model.api.core.container import ContainerPort, ResourceRequirements
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaimSpec
from reconciler.model.api.core.pod import PodSpec, PodTemplateSpec, TemplateMeta
from reconciler.model.api.core.volume import VolumeMount
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.quantities import Quantity
from tests.simulated import container


def stateful_set(
    name: str = "db", replicas: int = 3, version: str = "1.0", claims: Iterable[str] = ("data",), **more: object
) -> StatefulSet:
    """A StatefulSet behind a headless Service of its name, whose pods have a claim of each of these names."""
    labels = {"app": name}
    pod_fields = {key: more.pop(key) for key in tuple(more) if key in PodSpec.__struct_fields__}
    mounts = tuple(VolumeMount(claim, f"/{claim}") for claim in claims)
    ports = (ContainerPort(8080, "http"),)
    main = container(image=f"lab/web:{version}", cpu="10m", ports=ports, volume_mounts=mounts)
    pods = PodTemplateSpec(PodSpec((main,), **pod_fields), TemplateMeta(labels))  # type: ignore[arg-type]
    wants = PersistentVolumeClaimSpec(
        ("ReadWriteOnce",), ResourceRequirements(requests={"storage": Quantity.parse("1Gi")})
    )
    templates = tuple(VolumeClaimTemplate(VolumeClaimTemplateMeta(claim), wants) for claim in claims)
    fields = {"service_name": name, "replicas": replicas, "volume_claim_templates": templates, **more}
    spec = StatefulSetSpec(MatchLabelsSelector(labels), pods, **fields)  # type: ignore[arg-type]
    return StatefulSet(ObjectMeta(name, "default"), spec)
