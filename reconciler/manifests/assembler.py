"""Puts a Desired together from objects that are known to be right.

What did not change since the last one is taken over, so that an object, its manifest and its hash stay the
same values: a later comparison of two revisions is a comparison of identities.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from reconciler.manifests.across.index import Index
from reconciler.manifests.reading.canonical_form import contents, template_hash
from reconciler.manifests.reading.file_reader import Entry
from reconciler.manifests.schemas import KINDS
from reconciler.model.api.cluster import SshDefaults
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.node import Node, SshAddress
from reconciler.model.desired import Desired, Json, Revision
from reconciler.model.names import Ref
from reconciler.model.problems import Place, Problem


class Assembler:
    def __init__(self) -> None:
        self._touched: dict[Ref, None] = {}
        self._things: dict[str, dict[Ref, Any]] = {kind: {} for kind in KINDS}
        self._places: dict[Ref, Place] = {}
        self._hashes: dict[Ref, str] = {}
        self._digests: dict[Ref, str] = {}
        self._manifests: dict[Ref, Json] = {}
        self._nodes: dict[str, tuple[Node, SshDefaults, Node]] = {}

    def touch(self, entries: Iterable[Entry]) -> None:
        """These were added, removed, or depend on one that was."""
        for entry in entries:
            self._touched[entry.ref] = None

    def desired(
        self, revision: Revision, index: Index, warnings: tuple[Problem, ...], empty_files: frozenset[str]
    ) -> Desired:
        """Of an index without errors."""
        for ref in self._touched:
            if (entry := index.objects.get(ref)) is None:
                self._forget(ref)
            else:
                self._take(entry, index)
        self._touched = {}
        (cluster,) = self._things["Cluster"].values()
        return Desired(
            revision=revision,
            cluster=cluster,
            nodes=self._addressed(cluster.spec.ssh),
            namespaces={ref.name: namespace for ref, namespace in self._things["Namespace"].items()},
            pods=self._things["Pod"].copy(),
            deployments=self._things["Deployment"].copy(),
            services=self._things["Service"].copy(),
            endpoint_slices=self._things["EndpointSlice"].copy(),
            config_maps=self._things["ConfigMap"].copy(),
            secrets=self._things["Secret"].copy(),
            claims=self._things["PersistentVolumeClaim"].copy(),
            ingresses=self._things["Ingress"].copy(),
            digests=self._digests.copy(),
            places=self._places.copy(),
            template_hashes=self._hashes.copy(),
            manifests=self._manifests.copy(),
            warnings=warnings,
            network_policies=self._things["NetworkPolicy"].copy(),
            empty_files=empty_files,
        )

    def _take(self, entry: Entry, index: Index) -> None:
        ref = entry.ref
        self._things[ref.kind][ref] = entry.thing
        self._places[ref] = entry.place
        self._manifests[ref] = entry.written
        if entry.uses.spec is not None:
            self._hashes[ref] = _hash_with_contents(entry, index.objects)
        if entry.digest:
            self._digests[ref] = entry.digest

    def _forget(self, ref: Ref) -> None:
        for known in (self._things[ref.kind], self._places, self._manifests, self._hashes, self._digests):
            known.pop(ref, None)

    def _addressed(self, ssh: SshDefaults) -> dict[str, Node]:
        """With the cluster's defaults where an address leaves something out."""
        before, self._nodes = self._nodes, {}
        for ref, node in self._things["Node"].items():
            known = before.get(ref.name)
            if known is None or known[0] is not node or known[1] != ssh:
                known = (node, ssh, _with_defaults(node, ssh))
            self._nodes[ref.name] = known
        return {name: addressed for name, (_, _, addressed) in self._nodes.items()}


def _with_defaults(node: Node, ssh: SshDefaults) -> Node:
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
