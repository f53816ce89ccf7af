"""Puts a Desired together from objects that are known to be right.

What did not change since the last one is taken over, so that an object, its manifest, its hash and a mapping of
them stay the same values: a later comparison of two revisions is a comparison of identities.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from reconciler.manifests.across.index import Index
from reconciler.manifests.admission import AdmittedKinds
from reconciler.manifests.manifest import Manifest
from reconciler.manifests.reading.canonical_form import body_digest, template_hash
from reconciler.model.api.meta import ManifestMetadata, Object, ref_of
from reconciler.model.desired import Desired, Json, Revision, Template
from reconciler.model.names import Ref
from reconciler.model.problems import Place, Problem

V = TypeVar("V")
_PLAIN: Final = (str, Template, Place, Ref, ManifestMetadata)
"""What is compared by its value: an equal one takes nobody's place."""


class Assembler:
    """Keeps what the last Desired was made of. Not for several threads."""

    def __init__(self, kinds: AdmittedKinds) -> None:
        self._kinds = kinds
        self._touched: dict[Ref, None] = {}
        self._dependents: dict[Ref, tuple[Ref, ...]] = {}
        """What comes with each object, where anything does."""
        self._objects: defaultdict[str, _Table[Any]] = defaultdict(_Table)
        self._places: _Table[Place] = _Table()
        self._templates: _Table[Template] = _Table()
        self._digests: _Table[str] = _Table()
        self._manifests: _Table[Json] = _Table()
        self._owners: _Table[Ref] = _Table()
        self._metadata: _Table[ManifestMetadata] = _Table()

    def touch(self, manifests: Iterable[Manifest[Any]]) -> None:
        """Note that these were added or removed, or depend on one that was."""
        for manifest in manifests:
            self._touched[manifest.ref] = None

    def desired(
        self, revision: Revision, index: Index, warnings: tuple[Problem, ...], empty_files: frozenset[str]
    ) -> Desired:
        """The desired state of an index without errors."""
        without: dict[Ref, None] = {}
        for ref in self._touched:
            manifest = index.objects.get(ref)
            without |= dict.fromkeys(self._dependents.pop(ref, ()))
            if manifest is None:
                without[ref] = None
            else:
                self._take(manifest, index)
                without |= dict.fromkeys(manifest.relations.dependents)
        self._touched = {}
        self._settle([ref for ref in without if ref not in index.objects], index)
        tables = (table.handed_out() for table in self._objects.values())
        return Desired(
            revision=revision,
            objects={type(next(iter(table.values()))): table for table in tables if table},
            digests=self._digests.handed_out(),
            places=self._places.handed_out(),
            templates=self._templates.handed_out(),
            manifests=self._manifests.handed_out(),
            owners=self._owners.handed_out(),
            metadata=self._metadata.handed_out(),
            warnings=warnings,
            empty_files=empty_files,
        )

    def _take(self, manifest: Manifest[Any], index: Index) -> None:
        ref, object = manifest.ref, manifest.object
        objects = self._objects[ref.kind]
        kind = self._kinds.by_kind[ref.kind]
        admission = kind.admission
        if admission.default is not None:
            defaulted, known = admission.default(object, index), objects.get(ref)
            object = known if known == defaulted else defaulted
        objects.put(ref, object)
        self._places.put(ref, manifest.place)
        self._manifests.put(ref, manifest.canonical)
        self._owners.drop(ref)
        if (made_from := manifest.relations.template) is not None:
            pod_hash = self._hash_with_contents(manifest, index.objects)
            labels = made_from.labels
            if made_from.hash_label:
                labels = {**labels, made_from.hash_label: pod_hash}
            template = Template(pod_hash, made_from.spec, labels, made_from.annotations)
            self._templates.put(ref, template)
        if manifest.digest:
            self._digests.put(ref, manifest.digest)
        if not kind.names.has_status:
            metadata, digest = admission.published_metadata(object), body_digest(manifest.canonical)
            self._metadata.put(ref, ManifestMetadata(metadata, digest, admission.counts_generations))
        if manifest.relations.dependents:
            self._dependents[ref] = manifest.relations.dependents

    def _settle(self, refs: Iterable[Ref], index: Index) -> None:
        """Take each of these, which no manifest holds, from the object that it comes with, or forget it."""
        dependents: dict[Ref, Mapping[Ref, Object]] = {}
        for ref in refs:
            owner = index.owner_of(ref)
            if owner is None:
                self._forget(ref)
                continue
            self._manifests.drop(ref)
            if owner.ref not in dependents:
                dependents[owner.ref] = self._dependents_of(owner)
            known, object = self._objects[ref.kind].get(ref), dependents[owner.ref][ref]
            self._objects[ref.kind].put(ref, known if known == object else object)
            self._places.put(ref, owner.place)
            self._owners.put(ref, owner.ref)

    def _forget(self, ref: Ref) -> None:
        self._objects[ref.kind].drop(ref)
        tables: Iterable[_Table[Any]] = (
            self._places,
            self._manifests,
            self._templates,
            self._digests,
            self._owners,
            self._metadata,
        )
        for table in tables:
            table.drop(ref)

    def _dependents_of(self, owner: Manifest[Any]) -> Mapping[Ref, Object]:
        dependents = self._kinds.by_kind[owner.ref.kind].admission.dependents
        return {ref_of(each): each for each in dependents(owner.object)} if dependents is not None else {}

    def _hash_with_contents(self, manifest: Manifest[Any], objects: Mapping[Ref, Manifest[Any]]) -> str:
        """The hash of a template with the contents that shape its pods: keys read by name, or all there are."""
        references = [reference for reference in manifest.relations.references if reference.shapes_pod]
        if not references:
            return manifest.hash
        referred: dict[str, str | None] = {}
        for reference in references:
            values = self._contents(objects.get(reference.ref))
            for key in (reference.key,) if reference.key else values:
                referred[f"{reference.ref}/{key}"] = values.get(key)
        return template_hash(manifest.template, referred)

    def _contents(self, manifest: Manifest[Any] | None) -> Mapping[str, str]:
        """The values that pods read from an object; none from one that is not there."""
        if manifest is None:
            return {}
        contents = self._kinds.by_kind[manifest.ref.kind].admission.contents
        return contents(manifest.object, manifest.ref) if contents is not None else {}


class _Table(Generic[V]):
    """A mapping that is handed out as it is, and copied before the next change to it."""

    def __init__(self) -> None:
        self._now: dict[Ref, V] = {}
        self._is_handed_out = False

    def get(self, ref: Ref) -> V | None:
        return self._now.get(ref)

    def put(self, ref: Ref, value: V) -> None:
        known = self._now.get(ref)
        if known is None or not (known is value or (isinstance(value, _PLAIN) and known == value)):
            self._own()[ref] = value

    def drop(self, ref: Ref) -> None:
        if ref in self._now:
            del self._own()[ref]

    def handed_out(self) -> Mapping[Ref, V]:
        self._is_handed_out = True
        return self._now

    def _own(self) -> dict[Ref, V]:
        if self._is_handed_out:
            self._now, self._is_handed_out = self._now.copy(), False
        return self._now
