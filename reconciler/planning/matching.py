"""Which container on which host belongs to which pod; and what a restarted, or a new, master takes over.

A container is ours by its labels *and* the name that follows from them: a look-alike is listed, never touched.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.memory import PodIntent, Runs
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
from reconciler.model.observed import ContainerState, ObservedContainer
from reconciler.model.operations import RenameContainer
from reconciler.planning.controllers.node import NodeView
from reconciler.planning.identity import container_name, number_after
from reconciler.planning.parts import Containers
from reconciler.planning.templates import Template, read_template

_GOING: Final[frozenset[ContainerState]] = frozenset({"removing", "dead"})
_SYSTEM = frozenset({SYSTEM_PROXY, SYSTEM_PROBER, SYSTEM_DNS, SYSTEM_BOOT})


class Stray(Struct, frozen=True):
    """A container of ours on a node where it should not be."""

    node: str
    container: ObservedContainer


class Matched(Struct, frozen=True):
    pods: Mapping[Uid, PodIntent]
    """The intents remembered and those adopted; the remembered mapping itself where none was."""
    containers: Mapping[Uid, Containers]
    """On the node of the pod's intent; of a silent node, as last seen."""
    duplicates: tuple[Stray, ...]
    """Of a pod whose intent is on another node."""
    orphans: tuple[Stray, ...]
    """Explained by no intent and no manifest."""
    renamed: Mapping[Uid, tuple[RenameContainer, ...]] = {}
    """Containers of known pods under another name than we gave them: somebody's hand was at work."""


def match(
    cluster: str,
    templates: Mapping[Ref, Template],
    nodes: Mapping[str, NodeView],
    pods: Mapping[Uid, PodIntent],
    runs: Mapping[Uid, Mapping[str, Runs]],
) -> Matched:
    """`pods` are the intents remembered, `runs` their containers' runs; only what answers now is taken over."""
    containers: dict[Uid, dict[str, ObservedContainer]] = {}
    renamed: dict[Uid, tuple[RenameContainer, ...]] = {}
    duplicates: list[Stray] = []
    unknown: list[Stray] = []
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
                if intent.node != node.name or not _is_remembered(container, intent, runs):
                    unknown.append(Stray(node.name, container))
                    continue
                if container.state in _GOING:
                    continue  # Put aside by us: its removal does not end.
                renamed[intent.uid] = (*renamed.get(intent.uid, ()), RenameContainer(container.id, name))
            if intent.node == node.name:
                containers.setdefault(container.uid, {})[container.container] = container
            elif node.answers:
                duplicates.append(Stray(node.name, container))
    if not unknown:
        return Matched(pods, containers, tuple(duplicates), (), renamed)
    present = [stray for stray in unknown if nodes[stray.node].answers]
    adopted, orphans = _adopt(cluster, templates, pods, present)
    for intent, parts in adopted:
        containers[intent.uid] = parts
    return Matched(
        {**pods, **{intent.uid: intent for intent, _ in adopted}} if adopted else pods,
        containers,
        tuple(duplicates),
        tuple(orphans),
        renamed,
    )


def incarnations(known: Mapping[Ref, int], pods: Iterable[PodIntent], owners: Iterable[Ref]) -> Mapping[Ref, int]:
    """With a number for every owner that pods were adopted for and that none is remembered of; `owners` may have
    pods that are not seen, so theirs follow from all that are."""
    unknown: dict[Ref, list[Uid]] = {}
    every = list(pods)
    for intent in every:
        owner = intent.owner or intent.ref
        if owner not in known:
            unknown.setdefault(owner, []).append(intent.uid)
    for owner in owners:
        if owner not in known:
            unknown[owner] = [intent.uid for intent in every]
    return {**known, **{owner: number_after(uids) for owner, uids in unknown.items()}} if unknown else known


def _is_remembered(
    container: ObservedContainer, intent: PodIntent, runs: Mapping[Uid, Mapping[str, Runs]]
) -> bool:
    """The very container that we made, by Docker's id of it; or, of a sandbox, by the pod's address."""
    if container.container == SANDBOX:
        return bool(intent.ip) and container.ip == intent.ip
    known = runs.get(intent.uid, {}).get(container.container)
    return known is not None and known.run.partition("@")[0] == container.id[:12]


def _adopt(
    cluster: str, templates: Mapping[Ref, Template], known: Mapping[Uid, PodIntent], strays: Iterable[Stray]
) -> tuple[list[tuple[PodIntent, dict[str, ObservedContainer]]], list[Stray]]:
    """The pods whose owner is still wanted: the store was lost, or is older than they. The rest are orphans."""
    groups: dict[tuple[Uid, str], list[Stray]] = {}
    for stray in strays:
        groups.setdefault((stray.container.uid, stray.node), []).append(stray)
    adopted: dict[Uid, tuple[PodIntent, dict[str, ObservedContainer]]] = {}
    orphans: list[Stray] = []
    for (uid, node), group in groups.items():
        intent = None if uid in known or uid in adopted else _intent(cluster, templates, node, group)
        if intent is None:
            orphans += group
        elif any(stray.container.state != "removing" for stray in group):
            adopted[uid] = (intent, {stray.container.container: stray.container for stray in group})
    return list(adopted.values()), orphans


def _intent(cluster: str, templates: Mapping[Ref, Template], node: str, group: list[Stray]) -> PodIntent | None:
    """The intent that stood behind these containers; None where they are nobody's, or not named by us."""
    first = group[0].container
    for stray in group:
        part = stray.container
        expected = container_name(cluster, first.namespace, first.pod, part.container, first.uid)
        if not (part.uid and part.pod and part.container and part.name == expected):
            return None
    owner = owner_from_label(first.owner, first.namespace)
    template = templates.get(owner or Ref("Pod", first.namespace, first.pod))
    if template is None:
        return None
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
        ip=next((stray.container.ip for stray in group if stray.container.ip), ""),
        owner=owner,
        labels=labels,
        spec=spec,
    )
