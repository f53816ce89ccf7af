"""Which pods belong together: by owner, node, address, and the Services that select them.

Follows the memory from plan to plan: a pod that comes, goes or changes costs its own entries.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from reconciler.model.api.core.service import Service
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref, Uid

Key = TypeVar("Key", Ref, str)
_NONE: Collection[Uid] = ()


class PodIndex:
    """Not shared between threads. `services` are those of the revision whose pods these are."""

    def __init__(self, services: Mapping[Ref, Service], pods: Iterable[PodIntent]) -> None:
        self._selecting = _Selecting(services)
        self._of_owner: defaultdict[Ref, dict[Uid, None]] = defaultdict(dict)
        self._on_node: defaultdict[str, dict[Uid, None]] = defaultdict(dict)
        self._with_ip: dict[str, tuple[Uid, ...]] = {}
        self._behind: defaultdict[Ref, Counter[Ref]] = defaultdict(Counter)
        """How many pods of each owner a Service selects."""
        for intent in pods:
            self.add(intent)

    def add(self, intent: PodIntent) -> None:
        owner = intent.workload
        self._of_owner[owner][intent.uid] = None
        self._on_node[intent.node][intent.uid] = None
        self._with_ip[intent.ip] = (*self._with_ip.get(intent.ip, ()), intent.uid)
        for service in self.services_of(intent):
            self._behind[service][owner] += 1

    def remove(self, intent: PodIntent) -> None:
        owner = intent.workload
        _drop(self._of_owner, owner, intent.uid)
        _drop(self._on_node, intent.node, intent.uid)
        left = tuple(uid for uid in self._with_ip[intent.ip] if uid != intent.uid)
        if left:
            self._with_ip[intent.ip] = left
        else:
            del self._with_ip[intent.ip]
        for service in self.services_of(intent):
            self._behind[service][owner] -= 1
            if not self._behind[service][owner]:
                del self._behind[service][owner]

    def replace(self, before: PodIntent | None, after: PodIntent | None) -> None:
        """Index what is remembered of a pod now. One that belongs where it did keeps its place in every order."""
        if before is not None and after is not None and _is_kept(before, after):
            return
        if before is not None:
            self.remove(before)
        if after is not None:
            self.add(after)

    def of_owner(self, owner: Ref) -> Collection[Uid]:
        return self._of_owner.get(owner, _NONE)

    def on_node(self, name: str) -> Collection[Uid]:
        return self._on_node.get(name, _NONE)

    def with_ip(self, ip: str) -> Collection[Uid]:
        """The pods that have this address: one, or all that are on their host's network."""
        return self._with_ip.get(ip, _NONE)

    def services_of(self, intent: PodIntent) -> Collection[Ref]:
        """The Services whose selector matches the pod."""
        return self._selecting.of(intent.namespace, intent.labels)

    def services_of_labels(self, namespace: str, labels: Mapping[str, str]) -> Collection[Ref]:
        """The Services that select a pod with these labels, which need not be there yet."""
        return self._selecting.of(namespace, labels)

    def owners_behind(self, service: Ref) -> Iterator[Ref]:
        """The owners of the pods that a Service selects."""
        yield from self._behind.get(service, ())


class _Selecting:
    """The Services by one label of their selectors, and what was found for the labels of each template."""

    def __init__(self, services: Mapping[Ref, Service]) -> None:
        self._by_label: defaultdict[tuple[str, str, str], list[tuple[Ref, Mapping[str, str]]]] = defaultdict(list)
        for ref, service in services.items():
            selector = service.spec.selector
            if selector and service.spec.type != "ExternalName":
                key, value = min(selector.items())
                self._by_label[ref.namespace, key, value].append((ref, selector))
        self._known: dict[tuple[str, int], tuple[Mapping[str, str], tuple[Ref, ...]]] = {}

    def of(self, namespace: str, labels: Mapping[str, str]) -> tuple[Ref, ...]:
        known = self._known.get((namespace, id(labels)))
        if known is not None and known[0] is labels:
            return known[1]
        found = tuple(
            ref
            for key, value in labels.items()
            for ref, selector in self._by_label.get((namespace, key, value), ())
            if selector.items() <= labels.items()
        )
        self._known[namespace, id(labels)] = (labels, found)
        return found


def _is_kept(before: PodIntent, after: PodIntent) -> bool:
    if (before.node, before.ip, before.workload) != (after.node, after.ip, after.workload):
        return False
    return before.labels is after.labels or before.labels == after.labels


def _drop(groups: dict[Key, dict[Uid, None]], key: Key, uid: Uid) -> None:
    del groups[key][uid]
    if not groups[key]:
        del groups[key]
