"""A Pod: containers that run together on one node and share an address."""

from collections.abc import Iterator

from reconciler.kinds.core.bare_pod import BARE_POD
from reconciler.kinds.core.pod_view import POD_VIEW
from reconciler.kinds.kind import Kind
from reconciler.manifests.admission import Admission
from reconciler.manifests.annotations.placement import check_conditions
from reconciler.manifests.checks.pod_specs import check_pod_spec
from reconciler.manifests.findings import Finding
from reconciler.manifests.reading.decoding import decode_as
from reconciler.manifests.relations import PodTemplate
from reconciler.model.api.core.pod import Pod
from reconciler.model.kinds import Names
from reconciler.model.names import ANNOTATION_CONDITIONS, ANNOTATION_RESTART_ON_CHANGE
from reconciler.planning.diff import Comparison


def _validate(pod: Pod) -> Iterator[Finding]:
    yield from check_conditions(pod.metadata.annotations, pod.spec)
    yield from check_pod_spec(pod.spec, ("spec",))


def _pod_template(pod: Pod) -> PodTemplate:
    """A bare Pod is its own template."""
    return PodTemplate(pod.spec, pod.metadata.labels, pod.metadata.annotations, ())


POD = Kind(
    names=Names(kind="Pod", plural="pods", short=("po",), subresources=("status",)),
    type=Pod,
    admission=Admission(
        decode=decode_as(Pod),
        validate=_validate,
        pod_template=_pod_template,
        annotations={ANNOTATION_CONDITIONS: (), ANNOTATION_RESTART_ON_CHANGE: ("true", "false")},
    ),
    workload=BARE_POD,
    comparison=Comparison(replaced_for=("spec",)),
    view=POD_VIEW,
)
