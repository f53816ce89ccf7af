"""How objects of a kind are shown: the columns of a table, and the page of one object.

Each kind's room fills a `View`; `get`, `describe` and the tables of an API make their text from it alone. Types
and priorities of columns are those of Kubernetes' Tables:
https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from reconciler.model.acme import IssuedCertificate
from reconciler.model.api.meta import Object, ObjectMeta, ref_of
from reconciler.model.moments import unix_seconds
from reconciler.model.names import Ref
from reconciler.model.records import Event
from reconciler.model.traffic import ProxyTraffic
from reconciler.reporting.ages import age
from reconciler.reporting.lines import Line
from reconciler.reporting.tables import Table

T = TypeVar("T")
Thing = TypeVar("Thing", bound=Object)

NONE = "<none>"
UNKNOWN = "<unknown>"

_NO_OBJECTS: Mapping[Ref, Object] = {}
_NO_TRAFFIC: Mapping[str, ProxyTraffic] = {}
_NONE_ISSUED: Mapping[str, IssuedCertificate] = {}


class Context(Struct, frozen=True, dict=True):
    """What is known beside an object when it is shown."""

    now: float = 0.0
    """Unix seconds; 0 if it is not known, so that no age is either."""
    wide: bool = False
    """Whether lists are shown in full."""
    objects: Mapping[Ref, Object] = _NO_OBJECTS
    """All objects that are published."""
    events: Sequence[Event] = ()
    """The events about the object."""
    traffic: Mapping[str, ProxyTraffic] = _NO_TRAFFIC
    """What each node's proxy says of the object; empty if none was asked."""
    issued: Mapping[str, IssuedCertificate] = _NONE_ISSUED
    """The certificates that an Ingress uses and an ACME server gave, by the name of the Secret of each."""

    def of(self, kind: type[T]) -> Sequence[T]:
        """All objects of a kind that are published, given by their type."""
        return self._by_type.get(kind, ())

    def grouped(self, kind: type[T], key: Callable[[T], str]) -> Mapping[str, Sequence[T]]:
        """All objects of a kind, by what `key` says of each: worked out once, however many cells ask for it."""
        known = self._groups.get((kind, key))
        if known is None:
            known = self._groups[kind, key] = {}
            for thing in self.of(kind):
                known.setdefault(key(thing), []).append(thing)
        return known

    @cached_property
    def _by_type(self) -> Mapping[type[Any], list[Any]]:
        found: dict[type[Any], list[Any]] = {}
        for thing in self.objects.values():
            found.setdefault(type(thing), []).append(thing)
        return found

    @cached_property
    def _groups(self) -> dict[tuple[type[Any], Callable[[Any], str]], dict[str, list[Any]]]:
        return {}


class Column(Struct, Generic[T], frozen=True):
    """One column of the table of a kind."""

    name: str
    cell: Callable[[T, Context], str]
    type: Literal["string", "integer", "date"] = "string"
    priority: int = 0
    """0: it is always shown; 1: only in a wide table."""


class View(Struct, Generic[T], frozen=True):
    """How the objects of a kind are shown."""

    columns: tuple[Column[T], ...]
    describe: Callable[[T, Context], list[Line]] | None = None
    """The page of one object; None if the kind has none."""


def name_column() -> Column[Any]:
    """The first column of every table: the object's name."""
    return Column("NAME", lambda thing, _: thing.metadata.name)


def age_column() -> Column[Any]:
    """How long ago the object was created."""
    return Column("AGE", lambda thing, context: age_of(thing.metadata, context.now), "date")


def age_of(metadata: ObjectMeta, now: float) -> str:
    """How long ago an object was created, as kubectl writes it."""
    created = unix_seconds(metadata.creation_timestamp)
    return age(now - created) if created and now else UNKNOWN


def table_of(view: View[Thing], things: Iterable[Thing], context: Context, *, namespaces: bool = False) -> Table:
    """Objects of one kind, sorted by namespace and name; `namespaces` puts theirs in the first column."""
    columns = [column for column in view.columns if context.wide or not column.priority]
    ordered = sorted(things, key=ref_of)
    if not ordered:
        return Table((), ())
    in_front = namespaces and any(thing.metadata.namespace for thing in ordered)
    header = (*(("NAMESPACE",) if in_front else ()), *(column.name for column in columns))
    return Table(header, tuple(_row(thing, columns, context, in_front=in_front) for thing in ordered))


def _row(thing: Thing, columns: Sequence[Column[Thing]], context: Context, *, in_front: bool) -> tuple[str, ...]:
    cells = tuple(column.cell(thing, context) for column in columns)
    return (thing.metadata.namespace, *cells) if in_front else cells
