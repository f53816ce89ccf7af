"""The shapes of types: upstream's are in the package kubernetes-validate, those of our own kinds in structs."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import NoneType
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields

from reconciler.kinds import Kind
from reconciler.model.quantities import Quantity

Json: TypeAlias = dict[str, Any]

VERSION: Final = "1.37"
_OURS: Final = "reconciler.dev"
_LOCAL: Final = "#/$defs/"
_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_PLAIN: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}


@cache
def definitions() -> Mapping[str, Json]:
    """The definitions of all of upstream's types, by their full names."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{VERSION}.0-local-strict"
    upstream: dict[str, Json] = json.loads((folder / "_definitions.json").read_text("utf-8"))["$defs"]
    return upstream


def own_definitions(kind: Kind[Any]) -> Mapping[str, Json]:
    """The definitions of a kind that only we have, made from its structs and under their names."""
    made: dict[str, Json] = {}
    _define(kind.type, made)
    meta = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _reference(_OBJECT_META)}
    made[kind.names.kind]["properties"] |= meta
    return made


def is_ours(kind: Kind[Any]) -> bool:
    """Whether the kind is one that upstream does not know."""
    return kind.names.group == _OURS


def name_of(kind: Kind[Any]) -> str:
    """The full name of upstream's type of a kind's objects."""
    group = kind.names.group.partition(".")[0] or "core"
    return f"io.k8s.api.{group}.{kind.names.version}.{kind.names.kind}"


def referred(shape: Json) -> str:
    """The full name of the type that a field, or each entry of its list, is of; empty for a plain value."""
    reference = shape.get("$ref") or shape.get("items", {}).get("$ref", "")
    return str(reference).removeprefix(_LOCAL)


def is_quantity(name: str) -> bool:
    """Whether a type's full name is that of an amount of something."""
    return name == _QUANTITY


def plain(shape: Json) -> Json:
    """The type of a field of a plain value, without upstream's words and without null."""
    kinds = {kind for option in shape.get("oneOf", [shape]) for kind in _types(option)} - {"null"}
    if not kinds:
        return {}
    return {"type": kinds.pop() if len(kinds) == 1 else sorted(kinds)}


def _types(option: Json) -> list[str]:
    found = option.get("type", [])
    return [found] if isinstance(found, str) else found


def _define(struct: type[Struct], made: dict[str, Json]) -> None:
    if struct.__name__ not in made:
        properties: Json = {}
        made[struct.__name__] = {"properties": properties}
        for field in fields(struct):
            properties[field.encode_name] = _shape(field.type, made)


def _shape(wanted: Any, made: dict[str, Json]) -> Json:
    """As upstream would write the type of a field of ours."""
    if wanted is Quantity:
        return _reference(_QUANTITY)
    if isinstance(wanted, type) and issubclass(wanted, Struct):
        _define(wanted, made)
        return _reference(wanted.__name__)
    if get_origin(wanted) is tuple:
        return {"type": "array", "items": _shape(get_args(wanted)[0], made)}
    if get_origin(wanted) is dict:
        return {"type": "object", "additionalProperties": _shape(get_args(wanted)[1], made)}
    if get_origin(wanted) is Literal:
        return {"type": "string"}
    if wanted in _PLAIN:
        return {"type": _PLAIN[wanted]}
    options = [_shape(part, made) for part in get_args(wanted) if part is not NoneType]
    return options[0] if len(options) == 1 else {"oneOf": options}


def _reference(name: str) -> Json:
    return {"$ref": _LOCAL + name}
