"""All objects of the revision at hand, and who depends on whom.

It is kept from one revision to the next: a change of one file touches what that file holds and what
depends on it, so looking at the rest again is needless. Owned and changed by `loader` alone.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeAlias, TypeVar

from reconciler.manifests.checks.relations import Pair
from reconciler.manifests.findings import Finding
from reconciler.manifests.reading.file_reader import Entry
from reconciler.manifests.schemas import KINDS
from reconciler.model.names import CLUSTER_SCOPED, Ref
from reconciler.model.problems import Place

Located: TypeAlias = tuple[Entry, Finding]
"""What is wrong, and with which object."""

_Key = TypeVar("_Key", Ref, Pair)


class Index:
    def __init__(self) -> None:
        self.objects: dict[Ref, Entry] = {}
        """Every object under its name; of several with one name, the first by place."""
        self.by_kind: dict[str, dict[Ref, Entry]] = {kind: {} for kind in KINDS}
        self.broken: frozenset[Ref] = frozenset()
        """Objects that are there, but wrong."""
        self.whole = True
        """Nothing unnamed may be missing: what is not here, does not exist."""
        self._same_name: defaultdict[Ref, set[Entry]] = defaultdict(set)
        self._users: defaultdict[Ref, set[Entry]] = defaultdict(set)
        self._carriers: defaultdict[Pair, set[Entry]] = defaultdict(set)
        self._selecting: defaultdict[Pair, set[Entry]] = defaultdict(set)

    def lacks(self, ref: Ref) -> bool:
        """Known not to exist; False where a broken file may hold it."""
        return self.whole and ref not in self.objects and ref not in self.broken

    def lacks_more(self, *kinds: str) -> bool:
        """No object of these kinds exists beside those here."""
        return self.whole and not any(ref.kind in kinds for ref in self.broken)

    def carriers(self, selector: tuple[Pair, ...]) -> Iterable[Entry]:
        """Makers of pods that have all of these labels; none for an empty selector."""
        nobody: set[Entry] = set()
        rarest = min((self._carriers.get(pair, nobody) for pair in selector), key=len, default=nobody)
        if len(selector) == 1:
            return rarest
        return [entry for entry in rarest if all(pair in entry.uses.labels for pair in selector)]

    def replace(
        self, removed: Iterable[Entry], added: Iterable[Entry], broken: frozenset[Ref], whole: bool
    ) -> Iterable[Entry]:
        """Returns every object that must be checked again."""
        touched: dict[Entry, None] = {}
        all_of_them = (broken, whole) != (self.broken, self.whole)
        self.broken, self.whole = broken, whole
        removed, added = list(removed), list(added)
        for entry in removed:
            self._remove(entry)
            touched |= dict.fromkeys(self._depending(entry))
            all_of_them = all_of_them or entry.ref.kind in CLUSTER_SCOPED
        for entry in added:
            self._add(entry)
            all_of_them = all_of_them or entry.ref.kind in CLUSTER_SCOPED
        if all_of_them:
            return [entry for namesakes in self._same_name.values() for entry in namesakes]
        for entry in added:
            touched |= dict.fromkeys((entry, *self._depending(entry)))
        return [entry for entry in touched if entry in self._same_name.get(entry.ref, ())]

    def _depending(self, entry: Entry) -> Iterable[Entry]:
        yield from self._same_name.get(entry.ref, ())
        yield from self._users.get(entry.ref, ())
        for pair in entry.uses.labels:
            yield from self._selecting.get(pair, ())

    def _add(self, entry: Entry) -> None:
        self._same_name[entry.ref].add(entry)
        self._choose(entry.ref)
        for need in entry.uses.needs:
            self._users[need.ref].add(entry)
        for pair in entry.uses.labels:
            self._carriers[pair].add(entry)
        for pair in entry.uses.selector[:1]:  # whatever it selects has this one, too
            self._selecting[pair].add(entry)

    def _remove(self, entry: Entry) -> None:
        _discard(self._same_name, entry.ref, entry)
        self._choose(entry.ref)
        for need in entry.uses.needs:
            _discard(self._users, need.ref, entry)
        for pair in entry.uses.labels:
            _discard(self._carriers, pair, entry)
        for pair in entry.uses.selector[:1]:
            _discard(self._selecting, pair, entry)

    def _choose(self, ref: Ref) -> None:
        if namesakes := self._same_name.get(ref):
            first = min(namesakes, key=_place)
            self.objects[ref] = self.by_kind[ref.kind][ref] = first
        else:
            del self.objects[ref], self.by_kind[ref.kind][ref]


def _discard(sets: dict[_Key, set[Entry]], key: _Key, entry: Entry) -> None:
    if key in sets:
        sets[key].discard(entry)
        if not sets[key]:
            del sets[key]


def _place(entry: Entry) -> Place:
    return entry.place
