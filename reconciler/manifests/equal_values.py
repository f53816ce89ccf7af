"""Values that Kubernetes takes for one another, in the form that our types have: 2.0 for 2.

YAML is read as JSON there, which has one kind of number.
"""

from typing import Any

from reconciler.manifests.schemas import Schema, resolved


def in_our_form(schema: Schema, document: Any) -> Any:
    """The same document, or a copy of it, for a document of any form; `schema` is its kind's, with all
    definitions inside. Only what the schema wants to be whole changes: not quantities, and no text."""
    return _read(schema, schema, document)


def _read(root: Schema, schema: Schema, value: Any) -> Any:
    schema = resolved(root, schema)
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        rest = others if isinstance(others, dict) else {}
        return {key: _read(root, known.get(key, rest), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_read(root, schema.get("items", {}), item) for item in value]
    if isinstance(value, float) and value.is_integer() and _is_whole(schema):
        return int(value)
    return value


def _is_whole(schema: Schema) -> bool:
    wanted = schema.get("type", ())
    return "integer" in ((wanted,) if isinstance(wanted, str) else wanted)
