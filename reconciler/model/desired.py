"""What a revision asks for."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.meta import ManifestMetadata
from reconciler.model.names import Ref
from reconciler.model.problems import Place, Problem

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")


class Revision(Struct, frozen=True):
    """A state of the source: a Git commit, or the content hash of a folder."""

    id: str
    """The full commit id, or `sha256:…` of a folder."""
    origin: str
    """Where it was read, for people: a path, or a URL without credentials, with its branch."""
    title: str = ""
    """The first line of the commit's message; empty for a folder."""

    def __str__(self) -> str:
        return self.id.removeprefix("sha256:")[:8]


class SourceFile(Struct, frozen=True):
    """One file of a snapshot. The same `digest` means the same bytes."""

    path: str
    """Relative to the root of the manifests, with `/`."""
    digest: str
    content: bytes


class SourceSnapshot(Struct, frozen=True):
    """Every manifest that a source holds at one revision, in the order of the paths, and no other file."""

    revision: Revision
    files: tuple[SourceFile, ...]


class Unavailable(Struct, frozen=True):
    """A source that could not be read now. It says nothing about what is wanted: the last revision stays."""

    why: str
    fix: str = ""


class Template(Struct, frozen=True, gc=False):
    """What the pods of one object are made from."""

    hash: str
    """Ten hex digits of what makes the pods what they are: the pod spec, and the contents of every ConfigMap and
    Secret read through `env` or `envFrom`; with the template's annotation `reconciler.dev/restart-on-change:
    "true"`, of those in its volumes too. Another hash, other pods."""
    spec: PodSpec
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


class Desired(Struct, frozen=True, dict=True):
    """The objects of one accepted revision, indexed; every cross-reference in it is known to hold."""

    revision: Revision
    objects: Mapping[type[Any], Mapping[Ref, Any]]
    """All objects by their type: `of` gives those of one type. A mapping whose objects are the same as in the
    revision loaded before is the same mapping."""
    places: Mapping[Ref, Place]
    """Where each object was written, or the one that it comes with."""
    templates: Mapping[Ref, Template]
    """What each object that pods exist for makes them from; a bare Pod is made from itself."""
    digests: Mapping[Ref, str]
    """The digest of the contents of each ConfigMap and Secret: other contents, another digest. Salted: it tells no
    value."""
    manifests: Mapping[Ref, Json]
    """Each object as written, with defaults left out, and Secret values replaced by their fingerprints. What comes
    with another object has none."""
    owners: Mapping[Ref, Ref] = {}
    """The object that each object comes with which no manifest holds."""
    metadata: Mapping[Ref, ManifestMetadata] = {}
    """The metadata of each object of a kind without a status, as it is to be published."""
    warnings: tuple[Problem, ...] = ()
    empty_files: frozenset[str] = frozenset()
    """Files of the source that hold no object."""

    def of(self, kind: type[T]) -> Mapping[Ref, T]:
        """The objects of one kind, given by their type: `desired.of(Deployment)`."""
        return self.objects.get(kind, {})

    def get(self, ref: Ref) -> Any | None:
        """The object of this name, or None."""
        return next((objects[ref] for objects in self.objects.values() if ref in objects), None)

    @cached_property
    def cluster(self) -> Cluster:
        """The settings of the cluster; every accepted revision has one Cluster."""
        (cluster,) = self.of(Cluster).values()
        return cluster

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        """The Nodes by their names."""
        return {ref.name: node for ref, node in self.of(Node).items()}


class Rejected(Struct, frozen=True):
    """A revision that is not applied, and every reason why."""

    revision: Revision
    problems: tuple[Problem, ...]
