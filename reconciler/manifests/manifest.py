"""One object of a revision with what was worked out about it when its file was read."""

from typing import Generic, TypeVar

from msgspec import Struct

from reconciler.manifests.relations import Relations
from reconciler.model.desired import Json
from reconciler.model.names import Ref
from reconciler.model.problems import Place

T = TypeVar("T")


class Manifest(Struct, Generic[T], frozen=True, eq=False, gc=False):
    """An object of a file, and where it stands. It stays the same value as long as the file's bytes do."""

    ref: Ref
    object: T
    place: Place
    document: int
    """Which of the file's documents holds it, counted from 0."""
    canonical: Json
    """The object as written, with defaults left out."""
    template: bytes
    """What makes its pods what they are, but for the contents it refers to; empty for an object without pods."""
    hash: str
    """The hash of `template` alone; empty for an object without pods."""
    digest: str
    """The digest of the values that pods read from it; empty for an object that has none."""
    relations: Relations
