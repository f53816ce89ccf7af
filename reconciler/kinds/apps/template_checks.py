"""What is checked of every object that keeps pods of one template."""

from collections.abc import Iterator

from reconciler.manifests.annotations.placement import check_conditions
from reconciler.manifests.checks.pod_specs import check_pod_spec
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.model.api.apps import MatchLabelsSelector
from reconciler.model.api.core.pod import PodSpec, PodTemplateSpec
from reconciler.model.api.meta import Object

_AT: Pointer = ("spec", "template", "spec")


def check_template(
    owner: Object, selector: MatchLabelsSelector, template: PodTemplateSpec, made: PodSpec | None = None
) -> Iterator[Finding]:
    """Errors and warnings about the template of an object, and about its selector.

    `made` is what a pod has that is made from it, where the object adds to that."""
    kind = type(owner).__name__
    spec = template.spec
    yield from check_conditions(owner.metadata.annotations, spec)
    labels = template.metadata.labels
    missing = {key: value for key, value in selector.match_labels.items() if labels.get(key) != value}
    if missing:
        wanted = ", ".join(f"{key}={value}" for key, value in missing.items())
        message = f"the selector wants {wanted}, which the template's labels do not have"
        fix = "give spec.template.metadata.labels the same labels"
        yield Finding(("spec", "selector", "matchLabels"), Code.SELECTOR_MISMATCH, message, fix)
    if spec.restart_policy != "Always":
        message = f"the pods of a {kind} are always restarted"
        yield Finding((*_AT, "restartPolicy"), Code.RESTART_POLICY, message, "write Always, or use a bare Pod")
    if spec.active_deadline_seconds is not None:
        message = f"the pods of a {kind} have no end"
        at: Pointer = (*_AT, "activeDeadlineSeconds")
        yield Finding(at, Code.CONFLICTING_FIELDS, message, "remove it, or use a bare Pod")
    yield from check_pod_spec(made or spec, _AT)
