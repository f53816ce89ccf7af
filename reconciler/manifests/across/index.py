"""All objects of the revision at hand, and who depends on whom.

It is kept from one revision to the next: a change of one file touches what that file holds and what
depends on it, so looking at the rest again is needless. Owned and changed by `loader` alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from reconciler.manifests.manifest import Manifest
from reconciler.manifests.relations import Pair
from reconciler.model.names import Ref
from reconciler.model.problems import Place

T = TypeVar("T")
AnyManifest: TypeAlias = Manifest[Any]

_Key = TypeVar("_Key", Ref, Pair)


class Index:
    """The objects of a revision by name, by kind, by label, and by what they refer to."""

    def __init__(self, makers: Sequence[str] = ()) -> None:
        self.makers = makers
        """The names of the kinds whose objects make pods, or are one."""
        self.objects: dict[Ref, AnyManifest] = {}
        """Every object under its name; of several with one name, the first by place."""
        self._by_kind: defaultdict[str, dict[Ref, AnyManifest]] = defaultdict(dict)
        self.broken: frozenset[Ref] = frozenset()
        """Objects that are in the revision, but wrong."""
        self.whole = True
        """Whether every object of the revision could be named: what is not here, does not exist."""
        self._same_name: dict[Ref, tuple[AnyManifest, ...]] = {}
        self._referring: defaultdict[Ref, set[AnyManifest]] = defaultdict(set)
        self._owning: defaultdict[Ref, set[AnyManifest]] = defaultdict(set)
        self._carriers: defaultdict[Pair, set[AnyManifest]] = defaultdict(set)
        self._selecting: defaultdict[Pair, set[AnyManifest]] = defaultdict(set)

    def of(self, kind: type[T]) -> Mapping[Ref, Manifest[T]]:
        """The objects of one kind, given by their type."""
        return self._by_kind[kind.__name__]

    def has(self, kind: str) -> bool:
        """Whether there is an object of this kind."""
        return bool(self._by_kind[kind])

    def lacks(self, ref: Ref) -> bool:
        """Whether the object is known not to exist: a broken file might hold it, or it comes with another."""
        return self.whole and ref not in self.objects and ref not in self.broken and ref not in self._owning

    def lacks_more(self, *kinds: str) -> bool:
        """Whether no object of these kinds exists beside those here."""
        return self.whole and not any(ref.kind in kinds for ref in self.broken)

    def owner_of(self, ref: Ref) -> AnyManifest | None:
        """The object that this one comes with, the first by name; None for one that a manifest has to hold."""
        return min(self._owning.get(ref, ()), key=_name, default=None)

    def carriers(self, selector: tuple[Pair, ...]) -> Iterable[AnyManifest]:
        """The objects, or makers of pods, that have all of these labels; none for an empty selector."""
        nobody: set[AnyManifest] = set()
        rarest = min((self._carriers.get(pair, nobody) for pair in selector), key=len, default=nobody)
        if len(selector) == 1:
            return rarest
        return [manifest for manifest in rarest if all(pair in manifest.relations.labels for pair in selector)]

    def replace(
        self, removed: Iterable[AnyManifest], added: Iterable[AnyManifest], broken: frozenset[Ref], whole: bool
    ) -> Iterable[AnyManifest]:
        """Take these out and in; returns every object that must be checked again."""
        touched: dict[AnyManifest, None] = {}
        all_of_them = (broken, whole) != (self.broken, self.whole)
        self.broken, self.whole = broken, whole
        removed, added = list(removed), list(added)
        for manifest in removed:
            self._remove(manifest)
            touched |= dict.fromkeys(self._depending(manifest))
            all_of_them = all_of_them or not manifest.ref.namespace
        for manifest in added:
            self._add(manifest)
            all_of_them = all_of_them or not manifest.ref.namespace
        if all_of_them:
            return [manifest for namesakes in self._same_name.values() for manifest in namesakes]
        for manifest in added:
            touched |= dict.fromkeys((manifest, *self._depending(manifest)))
        return [manifest for manifest in touched if manifest in self._same_name.get(manifest.ref, ())]

    def _depending(self, manifest: AnyManifest) -> Iterable[AnyManifest]:
        yield from self._same_name.get(manifest.ref, ())
        yield from self._referring.get(manifest.ref, ())
        for ref in manifest.relations.dependents:
            yield from self._referring.get(ref, ())
        for pair in manifest.relations.labels:
            yield from self._selecting.get(pair, ())

    def _add(self, manifest: AnyManifest) -> None:
        self._set_namesakes(manifest.ref, (*self._same_name.get(manifest.ref, ()), manifest))
        for reference in manifest.relations.references:
            self._referring[reference.ref].add(manifest)
        for ref in manifest.relations.dependents:
            self._owning[ref].add(manifest)
        for pair in manifest.relations.labels:
            self._carriers[pair].add(manifest)
        for pair in manifest.relations.selector[:1]:  # whatever it selects has this one, too
            self._selecting[pair].add(manifest)

    def _remove(self, manifest: AnyManifest) -> None:
        others = tuple(other for other in self._same_name[manifest.ref] if other is not manifest)
        self._set_namesakes(manifest.ref, others)
        for reference in manifest.relations.references:
            _discard(self._referring, reference.ref, manifest)
        for ref in manifest.relations.dependents:
            _discard(self._owning, ref, manifest)
        for pair in manifest.relations.labels:
            _discard(self._carriers, pair, manifest)
        for pair in manifest.relations.selector[:1]:
            _discard(self._selecting, pair, manifest)

    def _set_namesakes(self, ref: Ref, namesakes: tuple[AnyManifest, ...]) -> None:
        if namesakes:
            first = min(namesakes, key=_place) if len(namesakes) > 1 else namesakes[0]
            self._same_name[ref] = namesakes
            self.objects[ref] = self._by_kind[ref.kind][ref] = first
        else:
            del self._same_name[ref], self.objects[ref], self._by_kind[ref.kind][ref]


def _discard(sets: dict[_Key, set[AnyManifest]], key: _Key, manifest: AnyManifest) -> None:
    if key in sets:
        sets[key].discard(manifest)
        if not sets[key]:
            del sets[key]


def _place(manifest: AnyManifest) -> Place:
    return manifest.place


def _name(manifest: AnyManifest) -> Ref:
    return manifest.ref
