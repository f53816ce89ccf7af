"""The JSON Schemas of all kinds, compiled: the fast gate that every document passes.

They are made from the files that editors use as well (`schemas/`, by `make schemas`). Every field of upstream
Kubernetes is in them: a field marked `"x-reconciler": "warn"` is accepted and changes nothing here; one marked
`"refuse"` is not accepted. Either way its `description` says why. One marked `"x-empty": "absent"` is dropped
before it is looked at where its value is empty: upstream cannot tell the two apart.
"""

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import msgspec

Schema = dict[str, Any]

MARK: Final = "x-reconciler"
EMPTY: Final = "x-empty"
REFUSED_VALUES: Final = "x-refused-values"
_SHARED: Final = "definitions.json"
_LOCAL: Final = "#/$defs/"


class KindSchema:
    """The schema of one kind, in the forms that a document meets; each is made when it is first asked for."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    @cached_property
    def schema(self) -> Schema:
        """The schema with every definition it refers to inside: no reference leaves it."""
        own: Schema = _localised(_read(f"{self._kind.lower()}.json"))
        return {**own, "$defs": _referred(own, _definitions())}

    @cached_property
    def plain(self) -> jsonschema_rs.Draft202012Validator:
        """Accepts what is valid and has nothing to warn about: nearly every document ends here."""
        return jsonschema_rs.Draft202012Validator(_without_warned(self.schema), offline=True)

    @cached_property
    def full(self) -> jsonschema_rs.Draft202012Validator:
        """Accepts what is valid, also where there is something to warn about."""
        return jsonschema_rs.Draft202012Validator(self.schema, offline=True)


@cache
def load_schemas(kinds: tuple[str, ...]) -> Mapping[str, KindSchema]:
    """The schemas of these kinds, the same objects for everybody: one takes longer to compile than to use once."""
    return {kind: KindSchema(kind) for kind in kinds}


def resolved(root: Schema, schema: Schema) -> Schema:
    """What a reference stands for; `root` holds the definitions."""
    while (reference := schema.get("$ref")) is not None:
        schema = root["$defs"][reference.removeprefix(_LOCAL)]
    return schema


@cache
def _definitions() -> Mapping[str, Schema]:
    """The definitions that all kinds share."""
    shared: Mapping[str, Schema] = _read(_SHARED)["$defs"]
    return shared


def _read(name: str) -> Schema:
    """One file of the wheel, or of `schemas/` of a checkout."""
    packaged = files("reconciler").joinpath("schemas", name)
    checkout = Path(__file__).parents[2] / "schemas" / name
    text = packaged.read_bytes() if packaged.is_file() else checkout.read_bytes()
    return msgspec.json.decode(text, type=Schema)


def _referred(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, Schema]:
    """The definitions that a schema refers to, and those that they refer to."""
    found: dict[str, Schema] = {}
    waiting = [schema]
    while waiting:
        for name in _references(waiting.pop()):
            if name not in found:
                found[name] = definitions[name]
                waiting.append(definitions[name])
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value.removeprefix(_LOCAL)
            else:
                yield from _references(value)
    elif isinstance(part, list):
        for item in part:
            yield from _references(item)


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
