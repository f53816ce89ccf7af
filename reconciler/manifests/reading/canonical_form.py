"""An object as written, with defaults left out; and what of it makes its pods what they are.

The form does not depend on the order of keys, or on defaults that are written out, and a field that a
later version adds does not change it: the same manifest keeps its pods.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import astuple, fields

from reconciler.manifests.admission import AdmittedKind
from reconciler.manifests.findings import Pointer
from reconciler.model.desired import Json
from reconciler.model.names import ANNOTATION_CONDITIONS, Ref
from reconciler.model.quantities import Quantity
from reconciler.model.secrets import SecretText

_SCALARS: Final = frozenset({str, int, float, bool})


def canonical_form(object: Any, ref: Ref, kind: AdmittedKind[Any]) -> Json:
    """The manifest of an object, with defaults left out and confidential values replaced by fingerprints."""
    body = kind.admission.encode(_plain(object, ref))
    return {"apiVersion": kind.names.api_version, "kind": ref.kind, **body}


def template_json(canonical: Json, at: Pointer, beside: Sequence[str] = ()) -> bytes:
    """What pods are made from, but for the contents that they refer to; `at` is where the template stands,
    `beside` what else makes them what they are.

    The conditions of a bare Pod are not part of it: they open its gates while it runs.
    """
    template: Json = canonical
    for step in at:
        template = template[step]  # type: ignore[index]
    metadata = template.get("metadata", {})
    notes = {key: note for key, note in metadata.get("annotations", {}).items() if key != ANNOTATION_CONDITIONS}
    made_from = [template["spec"], metadata.get("labels"), notes or None]
    return _canonical([*made_from, beside] if beside else made_from)


def body_digest(canonical: Json) -> str:
    """Sixteen hex digits of an object but for its metadata."""
    body = {name: value for name, value in canonical.items() if name != "metadata"}
    return hashlib.sha256(_canonical(body)).hexdigest()[:16]


def contents_digest(contents: Mapping[str, str], ref: Ref) -> str:
    """Sixteen hex digits of the values; salted with the object's name, as the fingerprints are."""
    return hashlib.sha256(_canonical([str(ref), contents])).hexdigest()[:16]


def template_hash(template: bytes, referred: Mapping[str, str | None] | None = None) -> str:
    """Ten hex digits of a template, and of the contents that it refers to."""
    digest = hashlib.sha256(template)
    if referred:
        digest.update(_canonical(referred))
    return digest.hexdigest()[:10]


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def _plain(value: Any, salt: Ref) -> Any:
    kind = value.__class__
    if kind is tuple:
        return [_plain(item, salt) for item in value]
    if kind is dict:
        return value if _is_text(value) else {key: _plain(inner, salt) for key, inner in value.items()}
    if isinstance(value, Struct):
        return _object(value, salt)
    if kind is bytes:
        return base64.b64encode(value).decode()
    if kind is Quantity:
        return value.text
    return value.fingerprint(str(salt)) if kind is SecretText else value


def _object(value: Struct, salt: Ref) -> Json:
    """A default is the very same value unless it is written out: few fields need to be compared."""
    names, defaults = _fields(value.__class__)
    return {
        name: inner if inner.__class__ in _SCALARS else _plain(inner, salt)
        for name, inner, default in zip(names, astuple(value), defaults, strict=True)
        if inner is not default and inner != default
    }


def _is_text(values: Mapping[str, Any]) -> bool:
    """All values of such an object are of one type."""
    return next(iter(values.values()), "").__class__ is str


@cache
def _fields(struct: type[Struct]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Names outside, and defaults; worked out once for each type."""
    known = fields(struct)
    defaults = (
        field.default if field.default_factory is NODEFAULT else field.default_factory() for field in known
    )
    return tuple(field.encode_name for field in known), tuple(defaults)
