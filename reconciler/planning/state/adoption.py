"""Which container on which host belongs to which pod; and what a restarted, or a new, master takes over.

A container is ours by its labels *and* either the name that follows from them or what tells an original from a
copy of its labels (`_original`). A look-alike is listed, never touched.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import PodIntent, RestartRecord
from reconciler.model.names import (
    SANDBOX,
    SYSTEM_BOOT,
    SYSTEM_DNS,
    SYSTEM_PROBER,
    SYSTEM_PROXY,
    Ref,
    Uid,
    owner_from_label,
)
from reconciler.model.observed import DockerState, ObservedContainer
from reconciler.model.operations import RenameContainer
from reconciler.planning.allocation.identity import container_name, number_after
from reconciler.planning.kubelet.container_config import has_sandbox
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.pod_containers import Containers
from reconciler.planning.state.pod_templates import PodTemplates
from reconciler.planning.state.templates import read_template

_GOING: Final[frozenset[DockerState]] = frozenset({"removing", "dead"})
_SYSTEM = frozenset({SYSTEM_PROXY, SYSTEM_PROBER, SYSTEM_DNS, SYSTEM_BOOT})


class Stray(Struct, frozen=True):
    """A container of ours on a node where it should not be."""

    node: str
    container: ObservedContainer


class Adopted(Struct, frozen=True):
    pods: Mapping[Uid, PodIntent]
    """The intents remembered and those adopted; the remembered mapping itself where none was."""
    containers: Mapping[Uid, Containers]
    """The containers of each pod on the node of its intent; of a silent node, as last seen."""
    duplicates: tuple[Stray, ...]
    """The containers of pods whose intent is on another node."""
    orphans: tuple[Stray, ...]
    """Explained by no intent and no manifest."""
    renamed: Mapping[Uid, tuple[RenameContainer, ...]] = {}
    """Containers of known pods under another name than we gave them: somebody's hand was at work."""


def adopt(
    cluster: str,
    templates: PodTemplates,
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodIntent],
    runs: Mapping[Uid, Mapping[str, RestartRecord]],
) -> Adopted:
    """Find the pod of each container, and take over the pods of containers that nobody remembers.

    `pods` are the intents remembered, `runs` what was counted of their containers; only what answers now is taken
    over.
    """
    containers: dict[Uid, dict[str, ObservedContainer]] = {}
    renamed: dict[Uid, tuple[RenameContainer, ...]] = {}
    duplicates: list[Stray] = []
    unknown: list[Stray] = []
    misnamed: dict[tuple[Uid, str], list[Stray]] = {}
    for node in nodes.values():
        for container in node.last.containers if node.last else ():
            if container.cluster != cluster or container.container in _SYSTEM:
                continue
            intent = pods.get(container.uid)
            if intent is None:
                unknown.append(Stray(node.name, container))
                continue
            name = container_name(cluster, intent.namespace, intent.name, container.container, intent.uid)
            if container.name != name:
                stray = Stray(node.name, container)
                if intent.node == node.name:
                    misnamed.setdefault((intent.uid, container.container), []).append(stray)
                else:
                    unknown.append(stray)
            elif intent.node == node.name:
                containers.setdefault(container.uid, {})[container.container] = container
            elif node.answers:
                duplicates.append(Stray(node.name, container))
    present = [stray for stray in unknown if nodes[stray.node].answers]
    adopted, others, orphans = _adopt(cluster, templates, pods, present)
    for intent, parts in adopted:
        containers[intent.uid] = parts
    for stray in others:
        misnamed.setdefault((stray.container.uid, stray.container.container), []).append(stray)
    if adopted:
        pods = {**pods, **{intent.uid: intent for intent, _ in adopted}}
    for (uid, part), strays in misnamed.items():
        intent = pods[uid]
        found = [stray.container for stray in strays]
        ours = None if part in containers.get(uid, {}) else _original(found, intent, runs.get(uid, {}).get(part))
        orphans += [one for one in strays if one.container is not ours and nodes[one.node].answers]
        if ours is None or ours.state in _GOING:
            continue  # A look-alike; or put aside by us, because its removal does not end.
        name = container_name(cluster, intent.namespace, intent.name, part, uid)
        renamed[uid] = (*renamed.get(uid, ()), RenameContainer(ours.id, name))
        containers.setdefault(uid, {})[part] = ours
    return Adopted(pods, containers, tuple(duplicates), tuple(orphans), renamed)


def incarnations(known: Mapping[Ref, int], pods: Iterable[PodIntent], owners: Iterable[Ref]) -> Mapping[Ref, int]:
    """Return the numbers of incarnations, with one for every owner that pods were adopted for and that none is
    remembered of.

    `owners` may have pods that are not seen, so theirs follow from all that are.
    """
    unknown: dict[Ref, list[Uid]] = {}
    every = list(pods)
    for intent in every:
        owner = intent.workload
        if owner not in known:
            unknown.setdefault(owner, []).append(intent.uid)
    for owner in owners:
        if owner not in known:
            unknown[owner] = [intent.uid for intent in every]
    return {**known, **{owner: number_after(uids) for owner, uids in unknown.items()}} if unknown else known


def _original(
    found: Iterable[ObservedContainer], intent: PodIntent, known: RestartRecord | None
) -> ObservedContainer | None:
    """Which of these is the one we made; none of them has its name, nor has any other.

    It is told from a copy of its labels by Docker's id, where it was seen before, or by the pod's address. Before
    any was seen, the one that was made first is it: there was nothing yet that could be copied.
    """
    for container in found:
        same = known is not None and known.run.partition("@")[0] == container.id[:12]
        if same or (intent.ip and container.ip == intent.ip and _is_part(intent.spec, container.container)):
            return container
    if known is not None or intent.spec is None:
        return None
    there = [one for one in found if one.ip in ("", intent.ip) and one.state not in _GOING]
    unseen = [one for one in there if _is_part(intent.spec, one.container)]
    return min(unseen, key=_first_made, default=None)


def _first_made(container: ObservedContainer) -> tuple[float, str]:
    return container.created, container.id


def _is_part(spec: PodSpec | None, name: str) -> bool:
    """A pod of this template has such a container; None: nobody knows what it has."""
    if spec is None:
        return bool(name)
    if name == SANDBOX:
        return has_sandbox(spec)
    return any(one.name == name for one in (*spec.init_containers, *spec.containers))


def _adopt(
    cluster: str, templates: PodTemplates, known: Mapping[Uid, PodIntent], strays: Iterable[Stray]
) -> tuple[list[tuple[PodIntent, dict[str, ObservedContainer]]], list[Stray], list[Stray]]:
    """The pods whose owner is still wanted: the store was lost, or is older than they; what else carries their
    uids on their nodes, under other names; and the rest, which are orphans."""
    groups: dict[tuple[Uid, str], list[Stray]] = {}
    for stray in strays:
        groups.setdefault((stray.container.uid, stray.node), []).append(stray)
    adopted: dict[Uid, tuple[PodIntent, dict[str, ObservedContainer]]] = {}
    misnamed: list[Stray] = []
    orphans: list[Stray] = []
    for (uid, node), group in groups.items():
        named = [] if uid in known or uid in adopted else [each for each in group if _is_named(cluster, each)]
        others = [each for each in group if each not in named]
        intent = _intent(templates, node, named, others) if named else None
        if intent is None:
            orphans += group
        elif any(stray.container.state != "removing" for stray in named):
            adopted[uid] = (intent, {stray.container.container: stray.container for stray in named})
            misnamed += others
    return list(adopted.values()), misnamed, orphans


def _is_named(cluster: str, stray: Stray) -> bool:
    """It has the name that we would have given it."""
    part = stray.container
    expected = container_name(cluster, part.namespace, part.pod, part.container, part.uid)
    return bool(part.uid and part.pod and part.container) and part.name == expected


def _intent(templates: PodTemplates, node: str, group: list[Stray], others: Iterable[Stray]) -> PodIntent | None:
    """The intent that stood behind these containers; None where they are nobody's. `others` have its uid and other
    names: where none of these has the pod's address, that of the sandbox among them that was made first is it."""
    first = group[0].container
    if any((each.container.namespace, each.container.pod) != (first.namespace, first.pod) for each in group):
        return None
    owner = owner_from_label(first.owner, first.namespace)
    template = templates.of(owner or Ref("Pod", first.namespace, first.pod), first.pod)
    if template is None:
        return None
    sandboxes = [stray.container for stray in others if stray.container.container == SANDBOX]
    sandboxes.sort(key=_first_made)
    labels, spec = template.labels, None
    if template.hash == first.hash:
        spec = template.spec
    elif made_from := next(filter(None, (read_template(stray.container.template) for stray in group)), None):
        labels, spec = made_from
    return PodIntent(
        uid=first.uid,
        namespace=first.namespace,
        name=first.pod,
        node=node,
        hash=first.hash,
        revision=first.revision,
        ip=next((one.ip for one in (*(stray.container for stray in group), *sandboxes) if one.ip), ""),
        owner=owner,
        labels=labels,
        spec=spec,
    )
