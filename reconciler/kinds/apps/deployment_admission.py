"""What is checked of a Deployment, and what its pods are made from."""

from collections.abc import Iterator

from reconciler.kinds.apps.amounts import is_zero
from reconciler.kinds.apps.template_checks import check_template
from reconciler.manifests.across.selectors import check_overlapping_selectors
from reconciler.manifests.admission import Admission
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.manifests.reading.decoding import decode_as
from reconciler.manifests.relations import PodTemplate, Relations, label_pairs
from reconciler.model.api.apps import LABEL_TEMPLATE_HASH, Deployment
from reconciler.model.names import ANNOTATION_CONDITIONS, ANNOTATION_RESTART_ON_CHANGE


def _validate(deployment: Deployment) -> Iterator[Finding]:
    spec = deployment.spec
    yield from check_template(deployment, spec.selector, spec.template)
    yield from _rollout(deployment)


def _rollout(deployment: Deployment) -> Iterator[Finding]:
    spec = deployment.spec
    if (rolling := spec.strategy.rolling_update) is None:
        return
    at: Pointer = ("spec", "strategy", "rollingUpdate")
    if spec.strategy.type == "Recreate":
        message = "Recreate ends all pods before it starts new ones: there are no limits to keep to"
        fix = "remove it, or write type: RollingUpdate"
        yield Finding(at, Code.CONFLICTING_FIELDS, message, fix, at_key=True)
    elif is_zero(rolling.max_surge) and is_zero(rolling.max_unavailable):
        message = "maxSurge and maxUnavailable are both 0: no pod could ever be replaced"
        yield Finding(at, Code.IMPOSSIBLE_ROLLOUT, message, "give one of them at least 1")


def _pod_template(deployment: Deployment) -> PodTemplate:
    template = deployment.spec.template
    return PodTemplate(
        template.spec,
        template.metadata.labels,
        template.metadata.annotations,
        ("spec", "template"),
        hash_label=LABEL_TEMPLATE_HASH,
    )


def _refers(deployment: Deployment) -> Relations:
    return Relations(selector=label_pairs(deployment.metadata.namespace, deployment.spec.selector.match_labels))


DEPLOYMENT_ADMISSION = Admission(
    decode=decode_as(Deployment),
    validate=_validate,
    refers=_refers,
    pod_template=_pod_template,
    validate_among=check_overlapping_selectors,
    annotations={ANNOTATION_CONDITIONS: ()},
    template_annotations={ANNOTATION_RESTART_ON_CHANGE: ("true", "false")},
)
