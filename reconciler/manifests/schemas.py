"""The JSON Schemas of all kinds, compiled: a fast gate in Rust, and an explaining validator in Python.

Both are made from the same files, which editors use as well. Every field of upstream Kubernetes is in
them: a field marked `"x-reconciler": "warn"` is accepted and changes nothing here; one marked `"refuse"`
is not accepted. Either way its `description` says why. One marked `"x-empty": "absent"` is dropped before it
is looked at where its value is empty: upstream cannot tell the two apart.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from msgspec import Struct

Schema = dict[str, Any]

MARK: Final = "x-reconciler"
EMPTY: Final = "x-empty"
REFUSED_VALUES: Final = "x-refused-values"
_SHARED: Final = "definitions.json"


class KindSchema(Struct, frozen=True):
    """One kind, three ways."""

    schema: Schema
    """With every definition it refers to inside: no reference leaves it."""
    plain: jsonschema_rs.Draft202012Validator
    """Accepts what is valid and has nothing to warn about: nearly every document ends here."""
    full: jsonschema_rs.Draft202012Validator
    explaining: Any
    """jsonschema's validator, whose `iter_errors` finds every fault."""


@cache
def load_schemas(kinds: tuple[str, ...]) -> Mapping[str, KindSchema]:
    """The schemas of these kinds: read from the wheel, or from `schemas/` of a checkout; once, as compiling takes
    longer than a small load."""
    shared = _read(_SHARED)["$defs"]
    return {kind: _compile({**_read(f"{kind.lower()}.json"), "$defs": shared}) for kind in kinds}


def resolved(root: Schema, schema: Schema) -> Schema:
    """What a reference stands for; `root` holds the definitions."""
    while (reference := schema.get("$ref")) is not None:
        schema = root["$defs"][reference.removeprefix("#/$defs/")]
    return schema


def _read(name: str) -> Schema:
    packaged = files("reconciler").joinpath("schemas", name)
    checkout = Path(__file__).parents[2] / "schemas" / name
    text = packaged.read_text("utf-8") if packaged.is_file() else checkout.read_text("utf-8")
    schema: Schema = _localised(json.loads(text))
    return schema


def _compile(schema: Schema) -> KindSchema:
    return KindSchema(
        schema=schema,
        plain=jsonschema_rs.Draft202012Validator(_without_warned(schema), offline=True),
        full=jsonschema_rs.Draft202012Validator(schema, offline=True),
        explaining=_Explaining(schema),
    )


def _localised(part: Any) -> Any:
    """References to the shared file made local, as its definitions are put into each schema."""
    if isinstance(part, dict):
        return {
            key: value.removeprefix(_SHARED) if key == "$ref" else _localised(value) for key, value in part.items()
        }
    return [_localised(item) for item in part] if isinstance(part, list) else part


def _without_warned(part: Any) -> Any:
    """The same schema, in which a field that is warned about is unknown."""
    if isinstance(part, dict):
        return {
            key: _without_warned(value)
            for key, value in part.items()
            if not (isinstance(value, dict) and value.get(MARK) == "warn")
        }
    return [_without_warned(item) for item in part] if isinstance(part, list) else part


def _whole_pattern(_: Any, pattern: str, instance: object, schema: Schema) -> Iterator[ValidationError]:
    """Python's `$` also matches before a last newline; every pattern of ours means the whole text. A text that
    is too long anyway is not searched."""
    if not isinstance(instance, str) or len(instance) > schema.get("maxLength", len(instance)):
        return
    if re.fullmatch(pattern, instance) is None:
        yield ValidationError("does not match")


def _each_required(_: Any, required: list[str], instance: object, __: Schema) -> Iterator[ValidationError]:
    """As jsonschema's own, with the field's name as the message, for `explaining` to use."""
    if isinstance(instance, dict):
        yield from (ValidationError(name) for name in required if name not in instance)


_Explaining: Final[Any] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _whole_pattern, "required": _each_required}
)
