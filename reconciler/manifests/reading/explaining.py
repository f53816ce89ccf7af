"""Why a document does not fit its schema, in words: every fault, with how to fix it."""

import json
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted, warning
from reconciler.manifests.schemas import MARK, REFUSED_VALUES, KindSchema, Schema, resolved
from reconciler.manifests.yaml.scalars import FILE_MODES, how_to_write_mode

_TYPES: Final = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_MOST_OPTIONS: Final = 8
"""That a message lists."""


def explain(kind: KindSchema, document: Any, *, secret: bool) -> Iterator[Finding]:
    """Every fault, then every warning. Of a secret document no value is quoted."""
    from reconciler.manifests.reading.faults import faults_of  # only what is wrong pays for jsonschema

    for error in faults_of(kind, document):
        yield from _explain(kind.schema, error, secret=secret)
    yield from advise(kind, document)


def advise(kind: KindSchema, document: Any) -> Iterator[Finding]:
    """A warning for every field that is accepted and changes nothing here."""
    yield from _advise(kind.schema, kind.schema, document, ())


def _advise(root: Schema, schema: Schema, value: Any, pointer: Pointer) -> Iterator[Finding]:
    schema = resolved(root, schema)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for key, inner in value.items():
            if (field := known.get(key)) is None:
                continue
            if field.get(MARK) == "warn":
                message = f"{quoted(key)} changes nothing here. {field['description']}"
                yield warning((*pointer, key), Code.IGNORED_FIELD, message, "remove it, or leave it", at_key=True)
            else:
                yield from _advise(root, field, inner, (*pointer, key))
    elif isinstance(value, list) and "items" in schema:
        for index, inner in enumerate(value):
            yield from _advise(root, schema["items"], inner, (*pointer, index))


def _explain(root: Schema, error: Any, *, secret: bool) -> Iterator[Finding]:
    pointer: Pointer = tuple(error.absolute_path)
    schema: Any = error.schema
    value = error.instance
    shown = "this value" if secret and pointer[:1] not in {("metadata",), ("type",)} else quoted(value)
    if schema.get(MARK) == "refuse":
        yield _refused(pointer, schema)
        return
    match error.validator:
        case "additionalProperties":
            for key in value:
                if key not in schema["properties"]:
                    yield _unknown((*pointer, key), key, schema)
        case "required":
            yield _missing(root, pointer, error.message, schema)
        case "type":
            yield _wrong_type(pointer, value, shown, error.validator_value)
        case "enum":
            yield _not_one_of(pointer, value, shown, schema)
        case "const":
            yield Finding(pointer, Code.INVALID_VALUE, f"{shown} is not accepted", f"write {schema['const']}")
        case "pattern":
            message = f"{shown} is not {schema['patternErrorMessage']}"
            digits = value.isascii() and value.isdigit() and "integer" in schema.get("type", ())
            yield _about(error, pointer, message, "remove the quotes" if digits else "write it in this form")
        case "maxLength":
            limit = error.validator_value
            yield _about(error, pointer, f"{shown} is longer than {limit} characters", "shorten it")
        case "minimum" | "maximum":
            word = "less" if error.validator == "minimum" else "more"
            message = f"{shown} is {word} than {error.validator_value}"
            yield Finding(pointer, Code.INVALID_VALUE, message, _file_mode(pointer, value) or _range(schema))
        case "minItems" | "minProperties":
            yield Finding(pointer, Code.INVALID_VALUE, "this is empty", "give at least one entry")
        case "maxItems" | "maxProperties":
            message = f"there are more than {error.validator_value} entries"
            yield Finding(pointer, Code.INVALID_VALUE, message, "remove what is too many")
        case _:
            yield Finding(pointer, Code.INVALID_VALUE, f"{shown} is not accepted", "see the field's description")


def _about(error: Any, pointer: Pointer, message: str, fix: str) -> Finding:
    """For a text that may be a key (`propertyNames`), whose pointer then ends in the key."""
    if "propertyNames" in error.absolute_schema_path:
        message = f"the key {quoted(error.instance)} is not {error.schema['patternErrorMessage']}"
        return Finding((*pointer, error.instance), Code.INVALID_VALUE, message, fix, at_key=True)
    return Finding(pointer, Code.INVALID_VALUE, message, fix)


def _refused(pointer: Pointer, schema: Schema) -> Finding:
    accepted = [json.dumps(value) for value in schema.get("enum", [schema["const"]] if "const" in schema else [])]
    fix = f"remove it, or write {' or '.join(accepted)}" if accepted else "remove it"
    message = f"{quoted(pointer[-1])} is not accepted. {schema['description']}"
    return Finding(pointer, Code.REFUSED_FIELD, message, fix, at_key=True)


def _missing(root: Schema, pointer: Pointer, name: str, schema: Schema) -> Finding:
    """Names the fields that a missing object itself must have, and what a missing text should look like."""
    field = resolved(root, schema.get("properties", {}).get(name, {}))
    needed = field.get("required", ())
    message = f"{quoted(name)} is missing"
    if needed:
        message += f", and with it {' and '.join(quoted(inner) for inner in needed)}"
    forms = (resolved(root, field["properties"][needed[0]]) if len(needed) == 1 else field).get(
        "patternErrorMessage"
    )
    return Finding(pointer, Code.MISSING_FIELD, message, f"add it: {forms}" if forms else "add it")


def _unknown(pointer: Pointer, key: str, schema: Schema) -> Finding:
    known = [name for name, field in schema["properties"].items() if field.get(MARK) != "refuse"]
    near = get_close_matches(key[:80], known, n=1, cutoff=0.6)
    fix = f"did you mean `{near[0]}`?" if near else f"remove it; known here: {', '.join(known)}"
    return Finding(pointer, Code.UNKNOWN_FIELD, f"{quoted(key)} is not a field here", fix, at_key=True)


def _wrong_type(pointer: Pointer, value: Any, shown: str, wanted: Any) -> Finding:
    allowed = [wanted] if isinstance(wanted, str) else list(wanted)
    expected = " or ".join(_TYPES[name] for name in allowed)
    if value is None:
        message = f"there is no value; it should be {expected}"
        return Finding(pointer, Code.WRONG_TYPE, message, "give it a value, or remove the line")
    if "string" in allowed and isinstance(value, int | float):
        fix = "quote it"
    elif isinstance(value, str) and value.isdigit() and {"integer", "number"} & set(allowed):
        fix = "remove the quotes"
    else:
        fix = f"write {expected}"
    return Finding(pointer, Code.WRONG_TYPE, f"{shown} is not {expected}", fix)


def _not_one_of(pointer: Pointer, value: Any, shown: str, schema: Schema) -> Finding:
    allowed = [str(option) for option in schema["enum"]]
    reasons: Schema = schema.get(REFUSED_VALUES, {})
    shown_options = [option for option in allowed if option][:_MOST_OPTIONS]
    more = "…; see the field's description" if len(allowed) > _MOST_OPTIONS else ""
    fix = f"write {' or '.join(shown_options)}{more}"
    if isinstance(value, str) and value in reasons:
        return Finding(pointer, Code.REFUSED_FIELD, f"{shown} is not accepted. {reasons[value]}", fix)
    if isinstance(value, str) and (near := get_close_matches(value[:80], allowed, n=1)):
        fix = f"did you mean `{near[0]}`?"
    return Finding(pointer, Code.INVALID_VALUE, f"{shown} is not accepted here", fix)


def _file_mode(pointer: Pointer, value: Any) -> str:
    """For permission bits as `chmod` takes them, whose 0 is missing."""
    return how_to_write_mode(str(value)) if pointer and pointer[-1] in FILE_MODES else ""


def _range(schema: Schema) -> str:
    return f"write a number from {schema.get('minimum')} to {schema.get('maximum')}"
