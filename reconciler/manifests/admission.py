"""What the loader needs to know of a kind to admit its objects: the facet that each room under `kinds/` fills.

The loader and all that it calls are the same for every kind. What differs is in the functions of an `Admission`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from reconciler.manifests.across.index import Index
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding
from reconciler.manifests.manifest import Manifest
from reconciler.manifests.relations import PodTemplate, Relations
from reconciler.model.api.meta import Object, ObjectMeta
from reconciler.model.desired import Json
from reconciler.model.kinds import Names
from reconciler.model.names import Ref

T = TypeVar("T")
Located: TypeAlias = tuple[Manifest[Any], Finding]
"""What is wrong, and with which object."""
ReadValue: TypeAlias = Callable[[type, Any], Any]
"""Reads a value of a type that msgspec does not know by itself, such as a quantity."""
_NO_RELATIONS = Relations()


def _unchanged(document: Json) -> Json:
    return document


def _no_findings(*_: Any) -> Iterable[Finding]:
    return ()


def _no_relations(_: Any) -> Relations:
    return _NO_RELATIONS


def _own_metadata(thing: Any) -> ObjectMeta:
    found: ObjectMeta = thing.metadata
    return found


def _served_here(_: Any) -> bool:
    return True


class Required(Struct, frozen=True):
    """What is said of a revision that has no object of a kind which every revision must have."""

    code: Code
    message: str
    fix: str


class RevisionCheck(Struct, frozen=True):
    """A check of all objects together, such as of addresses that only one may have."""

    concerns: Callable[[Manifest[Any], Index], bool]
    """Whether the check may find something else once this object is added or removed."""
    check: Callable[[Index], Iterator[Located]]


class Admission(Struct, Generic[T], frozen=True):
    """How objects of one kind come from manifests: decoded, defaulted, validated alone and among the others."""

    decode: Callable[[Json, ReadValue], T]
    """Makes the typed object of a document that the kind's schema accepts. Raises Undecodable."""
    prepare: Callable[[Json], Json] = _unchanged
    """Drops what does not count of a document before its schema looks at it. Never raises, whatever it gets."""
    encode: Callable[[Json], Json] = _unchanged
    """Makes the fields of a manifest of those of the typed object: the inverse of `decode`."""
    published_metadata: Callable[[T], ObjectMeta] = _own_metadata
    """The metadata of an object of a kind without a status, with what upstream's controllers add to it."""
    counts_generations: bool = True
    """Whether the changes of an object of a kind without a status are counted, in its metadata's generation."""
    default: Callable[[T, Index], T] | None = None
    """Fills in what the object leaves to others of its revision, such as to the Cluster."""
    validate: Callable[[T], Iterable[Finding]] = _no_findings
    """Errors and warnings about one object for itself, beyond what its schema says."""
    is_served: Callable[[T], bool] = _served_here
    """Whether an object is for this reconciler, or left to another controller: then its annotations are, too."""
    refers: Callable[[T], Relations] = _no_relations
    """What the object refers to and selects, beyond what its pods need."""
    dependents: Callable[[T], Sequence[Object]] | None = None
    """Further objects that come with it, such as the claims of its pods, where no manifest holds an object of the
    same name; None for a kind without any."""
    pod_template: Callable[[T], PodTemplate] | None = None
    """What its pods are made from; None for a kind without pods."""
    contents: Callable[[T, Ref], Mapping[str, str]] | None = None
    """The values that pods read from it, by key: confidential ones as fingerprints. None where they read none."""
    validate_among: Callable[[Manifest[T], Index], Iterable[Finding]] = _no_findings
    """Errors and warnings about one object among the others; they change only with what it refers to or selects,
    with what selects it, and with objects that belong to no namespace."""
    revision_checks: tuple[RevisionCheck, ...] = ()
    annotations: Mapping[str, tuple[str, ...]] = {}
    """The annotations of ours that an object may have, each with its values; no values: `validate` reads them."""
    template_annotations: Mapping[str, tuple[str, ...]] = {}
    """The same for the metadata of its pod template."""
    required: Required | None = None
    """What is said of a revision without any object of the kind; None where none is needed."""
    confidential: bool = False
    """Whether a value of a document is never quoted in a message."""


class AdmittedKind(Struct, Generic[T], frozen=True):
    """A kind that manifests may hold."""

    names: Names
    admission: Admission[T]


class AdmittedKinds(Struct, frozen=True):
    """Every kind that manifests may hold, and what is said of others."""

    by_kind: Mapping[str, AdmittedKind[Any]]
    """The kinds by their names; those that every revision must have come first."""
    instead: Mapping[str, str] = {}
    """What to do instead, for kinds that are known upstream and not here."""

    @property
    def makers(self) -> tuple[str, ...]:
        """The names of the kinds whose objects make pods, or are one."""
        return tuple(name for name, kind in self.by_kind.items() if kind.admission.pod_template is not None)


def admitted_kinds(kinds: Iterable[tuple[Names, Admission[Any]]], instead: Mapping[str, str]) -> AdmittedKinds:
    """The kinds that every revision must have, sorted, and then the others in the order given."""
    found = [AdmittedKind(names, admission) for names, admission in kinds]
    required = sorted((kind for kind in found if kind.admission.required), key=lambda kind: kind.names.kind)
    others = [kind for kind in found if not kind.admission.required]
    return AdmittedKinds({kind.names.kind: kind for kind in (*required, *others)}, instead)
