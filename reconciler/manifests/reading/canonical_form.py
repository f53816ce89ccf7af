"""An object as written, with defaults left out; and what of it makes its pods what they are.

The form does not depend on the order of keys, or on defaults that are written out, and a field that a
later version adds does not change it: the same manifest keeps its pods.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import astuple, fields

from reconciler.manifests.schemas import KINDS
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.meta import Object
from reconciler.model.desired import Json
from reconciler.model.names import ANNOTATION_CONDITIONS, Ref
from reconciler.model.quantities import Quantity
from reconciler.model.secrets import SecretText

_NOT_UPSTREAM: Final = {
    "Node": frozenset({"ssh", "hostKey"}),
    "Service": frozenset({"options"}),
    "Ingress": frozenset({"options"}),
}
"""Decoded from annotations, where they are written."""
_SCALARS: Final = frozenset({str, int, float, bool})


def as_written(thing: Object, ref: Ref) -> Json:
    """Secret values are replaced by their fingerprints; binary ones stand among the others, as in a manifest."""
    body = _plain(thing, str(ref))
    if isinstance(thing, Secret) and (binary := body.pop("binaryData", None)):
        body["data"] = {**body.get("data", {}), **binary}
    if (decoded := _NOT_UPSTREAM.get(ref.kind)) is not None:
        body = {name: value for name, value in body.items() if name not in decoded}
    return {"apiVersion": KINDS[ref.kind], "kind": ref.kind, **body}


def template_json(written: Json) -> bytes:
    """Of a Pod or a Deployment as written: what its pods are made from, but for what their variables refer to.

    The conditions of a bare Pod are not part of it: they open its gates while it runs.
    """
    spec = written["spec"]
    template = spec if written["kind"] == "Pod" else spec["template"]["spec"]
    metadata = written["metadata"] if written["kind"] == "Pod" else spec["template"].get("metadata", {})
    notes = {key: note for key, note in metadata.get("annotations", {}).items() if key != ANNOTATION_CONDITIONS}
    return _canonical([template, metadata.get("labels"), notes or None])


def contents(thing: ConfigMap | Secret, ref: Ref) -> Mapping[str, str]:
    """The values under their keys; those of a Secret as fingerprints.

    Binary ones, in base64, begin with a NUL, which no text does: the two never look the same.
    """
    if isinstance(thing, ConfigMap):
        encoded = {key: "\0" + base64.b64encode(value).decode() for key, value in thing.binary_data.items()}
        return {**thing.data, **encoded} if encoded else thing.data
    salt = str(ref)
    texts = {key: value.fingerprint(salt) for key, value in thing.data.items()}
    return texts | {key: "\0" + value.fingerprint(salt) for key, value in thing.binary_data.items()}


def contents_digest(thing: ConfigMap | Secret, ref: Ref) -> str:
    """Sixteen hex digits; salted with the object's name, as the fingerprints are."""
    return hashlib.sha256(_canonical([str(ref), contents(thing, ref)])).hexdigest()[:16]


def template_hash(template: bytes, referred: Any = None) -> str:
    """Ten hex digits."""
    digest = hashlib.sha256(template)
    if referred:
        digest.update(_canonical(referred))
    return digest.hexdigest()[:10]


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="deterministic")


def _plain(value: Any, salt: str) -> Any:
    if isinstance(value, Struct):
        return _object(value, salt)
    if isinstance(value, tuple):
        return [_plain(item, salt) for item in value]
    if isinstance(value, dict):
        return value if _is_text(value) else {key: _plain(inner, salt) for key, inner in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Quantity):
        return value.text
    return value.fingerprint(salt) if isinstance(value, SecretText) else value


def _object(value: Struct, salt: str) -> Json:
    names, defaults = _fields(type(value))
    result = {}
    for name, inner, default in zip(names, astuple(value), defaults, strict=True):
        if inner != default:
            result[name] = inner if inner.__class__ in _SCALARS else _plain(inner, salt)
    return result


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
