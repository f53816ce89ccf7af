"""Every fault of a document, as jsonschema finds them: much slower than the gate, and asked for what that refused.

Imported by `explaining` when there is something to explain, as jsonschema takes a while to import.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from reconciler.manifests.schemas import KindSchema, Schema


def faults_of(kind: KindSchema, document: Any) -> Iterator[ValidationError]:
    """Every fault, in the order of the schema; none, where the kind's gate accepts the document."""
    found: Iterator[ValidationError] = _validator(kind).iter_errors(document)
    return found


@cache
def _validator(kind: KindSchema) -> Any:
    return _Validator(kind.schema)


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


_Validator: Final[Any] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {"pattern": _whole_pattern, "required": _each_required}
)
