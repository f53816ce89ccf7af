"""Values that Kubernetes takes for one another, in the form that our types have: 2.0 for 2, and nothing for "".

YAML is read as JSON there, which has one kind of number; and most of its optional fields have no value of
their own for being absent: they are empty. Those are marked in the schemas.
"""

from typing import Any

from reconciler.manifests.schemas import EMPTY, Schema, resolved


def in_our_form(schema: Schema, document: Any) -> Any:
    """A copy of a document of any form; `schema` is its kind's, with all definitions inside. Of numbers, only
    those change that the schema wants to be whole: no quantities."""
    return _read(schema, schema, document)


def _read(root: Schema, schema: Schema, value: Any) -> Any:
    schema = resolved(root, schema)
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        rest = others if isinstance(others, dict) else {}
        return {
            key: _read(root, field, inner)
            for key, inner in value.items()
            if not (
                (field := known.get(key, rest)).get(EMPTY) == "absent" and _is_empty(inner, resolved(root, field))
            )
        }
    if isinstance(value, list):
        return [_read(root, schema.get("items", {}), item) for item in value]
    if isinstance(value, float) and value.is_integer() and "integer" in _types(schema):
        return int(value)
    return value


def _is_empty(value: Any, schema: Schema) -> bool:
    """Of a type that the field could have, so that a slip stays one."""
    if isinstance(value, str):
        return not value and "string" in _types(schema)
    return isinstance(value, int | float) and value is not False and not value and "integer" in _types(schema)


def _types(schema: Schema) -> tuple[str, ...]:
    """Fields of a few words have none."""
    wanted = schema.get("type", "string")
    return (wanted,) if isinstance(wanted, str) else tuple(wanted)
