"""Objects as JSON: what `reconciler get -o json|yaml` prints, for jq and for habits.

Field names and places are upstream's; a field that has its default is left out, as in the manifest.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from reconciler.model.acme import IssuedCertificate
from reconciler.model.api.meta import Object, ObjectMeta
from reconciler.model.desired import Json
from reconciler.model.kinds import Names
from reconciler.model.moments import rfc3339
from reconciler.model.quantities import Quantity

_SECRET_FIELDS: Final = ("data", "stringData")


def object_json(thing: Object, names: Names, encode: Callable[[Json], Json]) -> Json:
    """An object that is published: its metadata, its spec and its status.

    `encode` is of its kind: from the fields of the type to those of a manifest.
    """
    fields = _without_nulls(msgspec.to_builtins(thing, enc_hook=_plain))
    return {"apiVersion": names.api_version, "kind": names.kind, **encode(fields)}


def with_metadata(manifest: Mapping[str, Any], metadata: ObjectMeta | None) -> Json:
    """An object that has no status, as it was written, with the metadata that is published of it."""
    return dict(manifest) if metadata is None else {**manifest, "metadata": msgspec.to_builtins(metadata)}


def manifest_json(manifest: Mapping[str, Any]) -> Json:
    """An object that has no status; of a Secret its keys, and nothing of their values."""
    shown = dict(manifest)
    if shown.get("kind") == "Secret":
        for field in _SECRET_FIELDS:
            if isinstance(values := shown.get(field), dict):
                shown[field] = dict.fromkeys(values, "***")
    return shown


def object_list(objects: Sequence[Json]) -> Json:
    """Several objects as one, as `kubectl get -o json` prints them."""
    return {"apiVersion": "v1", "kind": "List", "items": list(objects)}


def certificates_json(issued: Mapping[str, IssuedCertificate]) -> list[Json]:
    """The certificates of an ACME server, by the name of the Secret of each; nothing here is secret."""
    return [
        {
            "secretName": name,
            "hosts": list(one.names),
            "issuer": one.server,
            "notBefore": rfc3339(one.not_before),
            "notAfter": rfc3339(one.not_after),
        }
        for name, one in sorted(issued.items())
    ]


def _plain(value: object) -> str:
    if isinstance(value, Quantity):
        return value.text
    raise TypeError(f"a {type(value).__name__} is never shown")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(inner) for inner in value]
    return value
