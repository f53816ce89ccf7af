"""How memory and statuses are written in the database: as JSON that a person with `sqlite3` can read."""

from typing import Any, TypeVar

import msgspec

from reconciler.model.acme import AcmeAccount, IssuedCertificate
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Json
from reconciler.model.memory import ClaimRecord, IngressRecord, NodeRecord, RestartRecord, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import PUBLISHED, Status
from reconciler.model.quantities import Quantity
from reconciler.model.secrets import SecretText

T = TypeVar("T")

PUBLISHED_TYPES: dict[str, type[Status]] = {kind.__name__: kind for kind in PUBLISHED}
"""The types of published objects, by their kind."""


def _to_json(value: Any) -> str:
    if isinstance(value, Quantity):
        return value.text
    raise TypeError(f"a {type(value).__name__} is never stored")


def _from_json(kind: type, value: Any) -> Any:
    if kind is Quantity:
        return Quantity.parse(value)
    if kind is SecretText:
        return SecretText(value)
    raise TypeError(f"a {kind.__name__} is never stored")


def _to_json_revealed(value: Any) -> Any:
    return value.reveal() if isinstance(value, SecretText) else _to_json(value)


_encoder = msgspec.json.Encoder(enc_hook=_to_json)
_revealing_encoder = msgspec.json.Encoder(enc_hook=_to_json_revealed)


def decoder(kind: type[T]) -> "msgspec.json.Decoder[T]":
    """Reads what `encode` has written of such a value."""
    return msgspec.json.Decoder(kind, dec_hook=_from_json)


decode_spec = decoder(PodSpec).decode
decode_node = decoder(NodeRecord).decode
decode_service = decoder(ServiceRecord).decode
decode_ingress = decoder(IngressRecord).decode
decode_claim = decoder(ClaimRecord).decode
decode_account = decoder(AcmeAccount).decode
decode_certificate = decoder(IssuedCertificate).decode
decode_runs = decoder(dict[str, RestartRecord]).decode
decode_number = decoder(int).decode
decode_manifest = decoder(Json).decode
decode_text = decoder(str).decode
_object_decoders = {kind: decoder(type_) for kind, type_ in PUBLISHED_TYPES.items()}


def encode(value: object) -> str:
    """TypeError for what must never be stored, a SecretText above all."""
    return _encoder.encode(value).decode()


def encode_revealed(value: object) -> str:
    """Write a value with its secrets in plain text: keys of accounts and certificates are made here, and are
    nowhere else.
    """
    return _revealing_encoder.encode(value).decode()


def decode_object(kind: str, payload: str) -> Status:
    """A published object; KeyError for a kind of which this version publishes nothing."""
    return _object_decoders[kind].decode(payload)


def read_back(manifest: Json, kind: type[T]) -> T:
    """The object that a manifest in memory describes; values of a Secret are its fingerprints."""
    return msgspec.convert(manifest, kind, dec_hook=_from_json)


def key_of(ref: Ref) -> str:
    return f"{ref.kind}/{ref.namespace}/{ref.name}"


def ref_of_key(key: str) -> Ref:
    kind, namespace, name = key.split("/", 2)
    return Ref(kind, namespace, name)
