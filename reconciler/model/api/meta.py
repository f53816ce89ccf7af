"""What objects of every kind have: metadata, and selectors of labels."""

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from msgspec import Struct

from reconciler.model.names import Ref


class OwnerReference(Struct, frozen=True, rename="camel", omit_defaults=True):
    """An object for whose sake another one exists."""

    api_version: str
    kind: str
    name: str
    uid: str = ""
    """Empty in a plan: it is looked up where objects are published."""
    controller: bool = False
    """Whether the owner makes and removes the object."""
    block_owner_deletion: bool = False
    """Whether the owner goes after the object, where somebody asks for that."""


class ObjectMeta(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Who an object is, what is noted on it, and what is given to it when it is published.

    Rule: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
    """

    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str = ""
    """Tells an object from an earlier one of the same name; empty until it is published."""
    generation: int = 0
    """How many different specs the object has had; 0 until it is published."""
    resource_version: str = ""
    """The store's counter when the object was written last; empty until it is stored."""
    creation_timestamp: str = ""
    """When the object was published first, as RFC 3339 in UTC."""
    owner_references: tuple[OwnerReference, ...] = ()
    deletion_timestamp: str = ""
    """When an object that is about to go is to be gone, as RFC 3339 in UTC."""
    deletion_grace_period_seconds: int | None = None
    """How long an object that is about to go has for that; None for one that stays."""


class Condition(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One statement on how an object is doing, and whether it holds."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""
    """When the status changed last, as RFC 3339 in UTC; empty in a plan, which knows no clock."""


class LabelSelectorRequirement(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One condition on the value of one label."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class LabelSelector(Struct, frozen=True, rename="camel", omit_defaults=True):
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


class ManifestMetadata(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The metadata of an object without a status: all else of it is as in its manifest, and not repeated here."""

    metadata: ObjectMeta
    digest: str
    """The digest of all else: another one if that has changed."""
    counted: bool = True
    """Whether the changes of all else are counted, in `metadata.generation`."""


def condition_of(conditions: Iterable[Condition], type_name: str) -> Condition | None:
    """The condition of this type; None if there is none."""
    return next((one for one in conditions if one.type == type_name), None)


def holds(conditions: Iterable[Condition], type_name: str) -> bool:
    """Whether there is a condition of this type, and it is true."""
    found = condition_of(conditions, type_name)
    return found is not None and found.status == "True"


def message_of(conditions: Iterable[Condition], type_name: str) -> str:
    """The message of the condition of this type; empty if there is none."""
    found = condition_of(conditions, type_name)
    return found.message if found is not None else ""


def controller_of(metadata: ObjectMeta) -> OwnerReference | None:
    """The owner that makes and removes an object; None if it has none."""
    return next((one for one in metadata.owner_references if one.controller), None)


def ref_of(thing: Object) -> Ref:
    """The reference that names this object; the type of an object is named as its kind."""
    return Ref(type(thing).__name__, thing.metadata.namespace, thing.metadata.name)
