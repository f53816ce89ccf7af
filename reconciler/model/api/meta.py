"""What objects of every kind have: metadata, and selectors of labels."""

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

from reconciler.model.names import Ref


class ObjectMeta(Struct, frozen=True, rename="camel"):
    """Who an object is, and what is noted on it."""

    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class LabelSelectorRequirement(Struct, frozen=True, rename="camel"):
    """One condition on the value of one label."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class LabelSelector(Struct, frozen=True, rename="camel"):
    """What labels an object must have. All of it must hold; an empty one selects everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether an object with these labels is selected."""
    if not selector.match_labels.items() <= labels.items():
        return False
    for one in selector.match_expressions:
        match one.operator:
            case "In":
                holds = labels.get(one.key) in one.values
            case "NotIn":
                holds = labels.get(one.key) not in one.values
            case "Exists":
                holds = one.key in labels
            case "DoesNotExist":
                holds = one.key not in labels
        if not holds:
            return False
    return True


class Object(Protocol):
    """An object of any kind."""

    @property
    def metadata(self) -> ObjectMeta: ...


def ref_of(thing: Object) -> Ref:
    """The reference that names this object; the type of an object is named as its kind."""
    return Ref(type(thing).__name__, thing.metadata.namespace, thing.metadata.name)
