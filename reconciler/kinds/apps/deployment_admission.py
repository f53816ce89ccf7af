"""What is checked of a Deployment, and what its pods are made from."""

from collections.abc import Iterator

from reconciler.manifests.across.selectors import check_overlapping_selectors
from reconciler.manifests.admission import Admission
from reconciler.manifests.annotations.placement import check_conditions
from reconciler.manifests.checks.pod_specs import check_pod_spec
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.manifests.reading.decoding import decode_as
from reconciler.manifests.relations import PodTemplate, Relations, label_pairs
from reconciler.model.api.apps import Deployment, IntOrPercent
from reconciler.model.names import ANNOTATION_CONDITIONS, ANNOTATION_RESTART_ON_CHANGE


def _validate(deployment: Deployment) -> Iterator[Finding]:
    spec = deployment.spec
    yield from check_conditions(deployment.metadata.annotations, spec.template.spec)
    labels = spec.template.metadata.labels
    missing = {key: value for key, value in spec.selector.match_labels.items() if labels.get(key) != value}
    if missing:
        wanted = ", ".join(f"{key}={value}" for key, value in missing.items())
        message = f"the selector wants {wanted}, which the template's labels do not have"
        fix = "give spec.template.metadata.labels the same labels"
        yield Finding(("spec", "selector", "matchLabels"), Code.SELECTOR_MISMATCH, message, fix)
    if spec.template.spec.restart_policy != "Always":
        at: Pointer = ("spec", "template", "spec", "restartPolicy")
        message = "the pods of a Deployment are always restarted"
        yield Finding(at, Code.RESTART_POLICY, message, "write Always, or use a bare Pod")
    if spec.template.spec.active_deadline_seconds is not None:
        at = ("spec", "template", "spec", "activeDeadlineSeconds")
        message = "the pods of a Deployment have no end"
        yield Finding(at, Code.CONFLICTING_FIELDS, message, "remove it, or use a bare Pod")
    yield from _rollout(deployment)
    yield from check_pod_spec(spec.template.spec, ("spec", "template", "spec"))


def _rollout(deployment: Deployment) -> Iterator[Finding]:
    spec = deployment.spec
    if (rolling := spec.strategy.rolling_update) is None:
        return
    at: Pointer = ("spec", "strategy", "rollingUpdate")
    if spec.strategy.type == "Recreate":
        message = "Recreate ends all pods before it starts new ones: there are no limits to keep to"
        fix = "remove it, or write type: RollingUpdate"
        yield Finding(at, Code.CONFLICTING_FIELDS, message, fix, at_key=True)
    elif _is_zero(rolling.max_surge) and _is_zero(rolling.max_unavailable):
        message = "maxSurge and maxUnavailable are both 0: no pod could ever be replaced"
        yield Finding(at, Code.IMPOSSIBLE_ROLLOUT, message, "give one of them at least 1")


def _is_zero(amount: IntOrPercent) -> bool:
    return amount in (0, "0%")


def _pod_template(deployment: Deployment) -> PodTemplate:
    template = deployment.spec.template
    return PodTemplate(
        template.spec, template.metadata.labels, template.metadata.annotations, ("spec", "template")
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
