"""What an object refers to, and by what others find it: worked out once, so that checks across all are short."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from reconciler.manifests.findings import Finding, Pointer
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.names import Ref

if TYPE_CHECKING:
    from reconciler.manifests.manifest import Manifest

Pair: TypeAlias = tuple[str, str, str]
"""A namespace, and a label's key and value in it."""
ReferenceCheck: TypeAlias = "Callable[[Reference, Manifest[Any]], Iterable[Finding]]"
"""Says what is wrong with the object that a reference leads to, for whoever refers to it."""


class Reference(Struct, frozen=True, gc=False):
    """An object, or one key of a ConfigMap or Secret, that another object is made with."""

    ref: Ref
    name_at: Pointer
    """Where the object's name stands."""
    key: str = ""
    """The one key that is referred to; empty for all of them, and for an object without keys."""
    key_at: Pointer = ()
    """Where the key's name stands; where the object's name stands if no key is named."""
    optional: bool = False
    """Whether it may be missing."""
    may_be_optional: bool = False
    """Whether the manifest could say `optional: true`."""
    shapes_pod: bool = False
    """Whether other contents make other pods."""
    check: "ReferenceCheck | None" = None
    """What the object that is found must be like."""


class PodTemplate(Struct, frozen=True, gc=False):
    """What pods are made from: an object's pod template, or a bare Pod itself."""

    spec: PodSpec
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    at: Pointer
    """Where the template stands in its document; empty for a bare Pod."""
    beside: tuple[str, ...] = ()
    """What else makes the pods what they are, in words that are others once they are to be made anew."""
    hash_label: str = ""
    """A label that its pods have beside those of the template: the template's hash. Empty: they have none."""

    @property
    def spec_at(self) -> Pointer:
        """Where the pod spec stands in its document."""
        return (*self.at, "spec")


class Relations(Struct, frozen=True, gc=False):
    """How one object is connected to the others of a revision."""

    references: tuple[Reference, ...] = ()
    labels: tuple[Pair, ...] = ()
    """Labels by which a selector finds the object, or the pods that it makes."""
    selector: tuple[Pair, ...] = ()
    """Labels that the objects it selects have."""
    dependents: tuple[Ref, ...] = ()
    """Objects that come with it where no manifest holds them."""
    template: PodTemplate | None = None
    """What it makes pods from; None for an object without pods."""


def label_pairs(namespace: str, labels: Mapping[str, str]) -> tuple[Pair, ...]:
    """The labels of a namespace's objects, in the form in which the index keeps them."""
    return tuple((namespace, key, value) for key, value in labels.items())
