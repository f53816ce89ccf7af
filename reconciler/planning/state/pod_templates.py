"""What each pod is made from: its owner's template, and where its workload says so, what is its own in it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct

from reconciler.model.desired import Desired, Template
from reconciler.model.names import Ref

T = TypeVar("T")


class PodIdentity(Struct, Generic[T], frozen=True):
    """How pods of a workload differ from each other, where each is one of a kind."""

    names: Callable[[T], Iterable[str]]
    """The names of the pods that an object asks for."""
    template: Callable[[T, Template, str], Template]
    """What the pod of this name is made from, out of what all pods of the object are made from: a pure function,
    that keeps the hash."""


_MOST_KNOWN: Final = 1 << 16
_known: Final[dict[tuple[int, int, str], tuple[object, Template, Template]]] = {}
"""By the identities of the object and of its template, which are kept alive with it, and the pod's name: every
plan asks for it, and what follows from one template stays the same value."""


class PodTemplates:
    """The templates of all pods of a revision."""

    def __init__(self, desired: Desired, kinds: Mapping[str, tuple[type[Any], PodIdentity[Any]]]) -> None:
        """`kinds` are those whose pods are one of a kind each, with the type of their objects."""
        self.of_owners = desired.templates
        """What all pods of an object have in common."""
        self._kinds = {
            kind: (desired.of(type_), identity) for kind, (type_, identity) in kinds.items() if desired.of(type_)
        }

    def of(self, owner: Ref, pod: str) -> Template | None:
        """Return what the pod of this name is made from; None where the revision does not have its owner."""
        template = self.of_owners.get(owner)
        if template is None or owner.kind not in self._kinds:
            return template
        objects, identity = self._kinds[owner.kind]
        return own_template(identity, objects[owner], template, pod)

    def to_come(self, owner: Ref) -> Iterable[Template]:
        """Yield what the pods that an object asks for are made from, each different template once."""
        if (template := self.of_owners.get(owner)) is None:
            return
        if owner.kind not in self._kinds:
            yield template
            return
        objects, identity = self._kinds[owner.kind]
        for name in identity.names(objects[owner]):
            yield own_template(identity, objects[owner], template, name)


def own_template(identity: PodIdentity[T], owner: T, template: Template, pod: str) -> Template:
    """Return what the pod of this name is made from; the same value for the same object, template and name."""
    key = id(owner), id(template), pod
    known = _known.get(key)
    if known is not None and known[0] is owner and known[1] is template:
        return known[2]
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    made = identity.template(owner, template, pod)
    _known[key] = (owner, template, made)
    return made
