"""Puts a Desired together from objects that are known to be right.

What did not change since the last one is taken over, so that an object, its manifest, its hash and a mapping of
them stay the same values: a later comparison of two revisions is a comparison of identities.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from reconciler.manifests.across.index import Index
from reconciler.manifests.reading.canonical_form import contents, template_hash
from reconciler.manifests.reading.file_reader import Entry
from reconciler.model.api.cluster import Cluster, SshDefaults
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.node import Node, SshAddress
from reconciler.model.desired import Desired, Json, Revision
from reconciler.model.names import Ref
from reconciler.model.problems import Place, Problem

V = TypeVar("V")


class Assembler:
    """Keeps what the last Desired was made of. Not for several threads."""

    def __init__(self) -> None:
        self._touched: dict[Ref, None] = {}
        self._objects: defaultdict[str, _Table[Any]] = defaultdict(_Table)
        self._places: _Table[Place] = _Table()
        self._hashes: _Table[str] = _Table()
        self._digests: _Table[str] = _Table()
        self._manifests: _Table[Json] = _Table()

    def touch(self, entries: Iterable[Entry]) -> None:
        """Note that these were added or removed, or depend on one that was."""
        for entry in entries:
            self._touched[entry.ref] = None

    def desired(
        self, revision: Revision, index: Index, warnings: tuple[Problem, ...], empty_files: frozenset[str]
    ) -> Desired:
        """The desired state of an index without errors."""
        for ref in self._touched:
            if (entry := index.objects.get(ref)) is None:
                self._forget(ref)
            else:
                self._take(entry, index)
        self._touched = {}
        tables = (table.handed_out() for table in self._objects.values())
        return Desired(
            revision=revision,
            objects={type(next(iter(table.values()))): table for table in tables if table},
            digests=self._digests.handed_out(),
            places=self._places.handed_out(),
            template_hashes=self._hashes.handed_out(),
            manifests=self._manifests.handed_out(),
            warnings=warnings,
            empty_files=empty_files,
        )

    def _take(self, entry: Entry, index: Index) -> None:
        ref, thing = entry.ref, entry.thing
        objects = self._objects[ref.kind]
        if isinstance(thing, Node):
            (cluster,) = (other.thing for other in index.by_kind["Cluster"].values())
            assert isinstance(cluster, Cluster)
            defaulted = _with_defaults(thing, cluster.spec.ssh)
            known = objects.get(ref)
            thing = known if known == defaulted else defaulted
        objects.put(ref, thing)
        self._places.put(ref, entry.place)
        self._manifests.put(ref, entry.written)
        if entry.uses.spec is not None:
            self._hashes.put(ref, _hash_with_contents(entry, index.objects))
        if entry.digest:
            self._digests.put(ref, entry.digest)

    def _forget(self, ref: Ref) -> None:
        for table in (self._objects[ref.kind], self._places, self._manifests, self._hashes, self._digests):
            table.drop(ref)


class _Table(Generic[V]):
    """A mapping that is handed out as it is, and copied before the next change to it."""

    def __init__(self) -> None:
        self._now: dict[Ref, V] = {}
        self._is_handed_out = False

    def get(self, ref: Ref) -> V | None:
        return self._now.get(ref)

    def put(self, ref: Ref, value: V) -> None:
        known = self._now.get(ref)
        if known is not value and not (isinstance(value, str) and known == value):
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


def _with_defaults(node: Node, ssh: SshDefaults) -> Node:
    """The Node with the Cluster's defaults where its address leaves something out."""
    if node.ssh.user and node.ssh.port:
        return node
    address = SshAddress(node.ssh.user or ssh.user, node.ssh.host, node.ssh.port or ssh.port)
    return msgspec.structs.replace(node, ssh=address)


def _hash_with_contents(entry: Entry, objects: Mapping[Ref, Entry]) -> str:
    """Of every key that is read by name, and of all keys where all are read; in volumes, only where it says so."""
    needs = [need for need in entry.uses.needs if need.shapes_pod]
    if not needs:
        return entry.hash
    referred: dict[str, str | None] = {}
    for need in needs:
        values: Mapping[str, str] = {}
        if (source := objects.get(need.ref)) is not None:
            assert isinstance(source.thing, ConfigMap | Secret)
            values = contents(source.thing, need.ref)
        for key in (need.key,) if need.key else values:
            referred[f"{need.ref}/{key}"] = values.get(key)
    return template_hash(entry.template, referred)
