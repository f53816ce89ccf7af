"""The revision history of each object that pods exist for: which templates it has had, and how they are counted.

Rules: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.model.desired import Template
from reconciler.model.memory import TemplateRevision
from reconciler.model.names import Ref
from reconciler.planning.state.pods import PodView
from reconciler.planning.workload import RevisionHistory
from reconciler.planning.world import World


def template_revisions(
    world: World, owned: Mapping[Ref, Sequence[PodView]]
) -> Mapping[Ref, tuple[TemplateRevision, ...]]:
    """Return the templates to be remembered of each object, with `owned`, the pods that are decided on.

    It is the mapping remembered, itself, where nothing differs. Of an object that is gone, the templates of pods
    that are still there are kept.
    """
    known, templates, workloads = world.memory.template_revisions, world.desired.templates, world.rules.workloads
    changed: dict[Ref, tuple[TemplateRevision, ...]] = {}
    for ref in sorted({*templates, *owned, *known}):
        workload = workloads.get(ref.kind)
        if workload is None or workload.history is None:
            continue
        before, pods = known.get(ref, ()), owned.get(ref, ())
        template = templates.get(ref)
        if template is None:
            after = _with_pods(_with_those_found(before, pods), pods)
        else:
            thing = world.desired.get(ref)
            after = _revised(before, template, thing, workload.history, pods)
        if after != before:
            changed[ref] = after
    if not changed:
        return known
    return {ref: revisions for ref, revisions in {**known, **changed}.items() if revisions}


def _revised(
    before: tuple[TemplateRevision, ...],
    template: Template,
    thing: Any,
    history: RevisionHistory[Any],
    pods: Sequence[PodView],
) -> tuple[TemplateRevision, ...]:
    """The templates of an object that is in the revision: its present one has the highest number."""
    hashes = {pod.intent.hash for pod in pods}
    others = _with_those_found(
        tuple(one for one in before if one.hash != template.hash),
        [pod for pod in pods if pod.intent.hash != template.hash],
    )
    own = next((one for one in before if one.hash == template.hash), None)
    if own is None and template.hash not in hashes and not history.takes_up(thing):
        return others
    number = max(own.number if own is not None else 1, _next_number(others))
    settled = own is not None and own.settled and own.number == number
    if history.is_settled is not None and not settled:
        settled = history.is_settled(thing, template, pods)
    present = TemplateRevision(
        template.hash, number, template.spec, template.labels, template.annotations, settled
    )
    if hashes <= {template.hash} and (settled or history.is_settled is None):
        others = others[max(0, len(others) - history.limit(thing)) :]
    return (*others, present)


def _with_those_found(
    revisions: tuple[TemplateRevision, ...], pods: Iterable[PodView]
) -> tuple[TemplateRevision, ...]:
    """With the templates of pods that nothing is remembered of: those made from the one that came first, first."""
    known = {one.hash for one in revisions}
    found: dict[str, list[PodView]] = {}
    for pod in pods:
        if pod.intent.hash not in known:
            found.setdefault(pod.intent.hash, []).append(pod)
    for template_hash in sorted(found, key=lambda one: (min(_made_at(pod) for pod in found[one]), one)):
        intent = next(
            (pod.intent for pod in found[template_hash] if pod.intent.spec), found[template_hash][0].intent
        )
        one = TemplateRevision(template_hash, _next_number(revisions), intent.spec, intent.labels)
        revisions = (*revisions, one)
    return revisions


def _with_pods(revisions: tuple[TemplateRevision, ...], pods: Iterable[PodView]) -> tuple[TemplateRevision, ...]:
    hashes = {pod.intent.hash for pod in pods}
    return tuple(one for one in revisions if one.hash in hashes)


def _next_number(revisions: Sequence[TemplateRevision]) -> int:
    return max((one.number for one in revisions), default=0) + 1


def _made_at(pod: PodView) -> float:
    """When its first container was made; of a pod without any, later than all."""
    return pod.created or float("inf")
