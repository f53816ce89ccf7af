"""What a revision asks for."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from reconciler.model.api.apps import Deployment
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import Service
from reconciler.model.api.discovery import EndpointSlice
from reconciler.model.api.networking import Ingress, NetworkPolicy
from reconciler.model.names import Ref
from reconciler.model.problems import Place, Problem

Json: TypeAlias = dict[str, Any]


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


class Snapshot(Struct, frozen=True):
    """Every manifest that a source holds at one revision, in the order of the paths, and no other file."""

    revision: Revision
    files: tuple[SourceFile, ...]


class Unavailable(Struct, frozen=True):
    """A source that could not be read now. It says nothing about what is wanted: the last revision stays."""

    why: str
    fix: str = ""


class Desired(Struct, frozen=True):
    """The objects of one accepted revision, indexed; every cross-reference in it is known to hold."""

    revision: Revision
    cluster: Cluster
    nodes: Mapping[str, Node]
    namespaces: Mapping[str, Namespace]
    pods: Mapping[Ref, Pod]
    deployments: Mapping[Ref, Deployment]
    services: Mapping[Ref, Service]
    config_maps: Mapping[Ref, ConfigMap]
    secrets: Mapping[Ref, Secret]
    claims: Mapping[Ref, PersistentVolumeClaim]
    places: Mapping[Ref, Place]
    """Where each object was written."""
    template_hashes: Mapping[Ref, str]
    """For each Pod and Deployment, ten hex digits of what makes its pods what they are: the pod spec, and the
    contents of every ConfigMap and Secret read through `env` or `envFrom`; with the template's annotation
    `reconciler.dev/restart-on-change: "true"`, of those in its volumes too. Another hash, other pods."""
    digests: Mapping[Ref, str]
    """Of the contents of each ConfigMap and Secret: other contents, another digest. Salted: it tells no value."""
    manifests: Mapping[Ref, Json]
    """Each object as written, with defaults left out, and Secret values replaced by their fingerprints."""
    endpoint_slices: Mapping[Ref, EndpointSlice] = {}
    """Each belongs to a Service of its namespace that has no selector."""
    ingresses: Mapping[Ref, Ingress] = {}
    warnings: tuple[Problem, ...] = ()
    network_policies: Mapping[Ref, NetworkPolicy] = {}
    empty_files: frozenset[str] = frozenset()
    """Files of the source that hold no object."""


class Rejected(Struct, frozen=True):
    """A revision that is not applied, and every reason why."""

    revision: Revision
    problems: tuple[Problem, ...]
