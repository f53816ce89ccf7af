"""From a document that its schema accepts to the typed object it describes."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from reconciler.manifests.admission import AdmittedKinds, ReadValue
from reconciler.manifests.findings import Finding
from reconciler.manifests.schemas import KindSchema
from reconciler.manifests.yaml.canonical_values import in_our_form
from reconciler.model.desired import Json
from reconciler.model.quantities import Quantity

T = TypeVar("T")
_GIVEN: Final = frozenset(
    {
        *("uid", "generation", "resourceVersion", "creationTimestamp", "ownerReferences"),
        *("deletionTimestamp", "deletionGracePeriodSeconds"),
    }
)
"""Fields of metadata that objects have once they are published."""
DEFAULT_NAMESPACE: Final = "default"


class Undecodable(Exception):
    """The schema accepts the document, and yet it means nothing; carries every finding."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__(*findings)
        self.findings = findings


class Decoder:
    """Remembers the quantities it has read: a revision repeats a few of them thousands of times."""

    def __init__(self, kinds: AdmittedKinds, schemas: Mapping[str, KindSchema]) -> None:
        self._kinds = kinds
        self._schemas = schemas
        self._quantities: dict[str, Quantity] = {}

    def decode(self, kind: str, document: Json) -> Any:
        """The object of a document that its schema accepts. Raises Undecodable."""
        try:
            return self._decode(kind, document)
        except msgspec.ValidationError:  # a number like 1.0, which is whole to the schema
            return self._decode(kind, in_our_form(self._schemas[kind].schema, document))

    def decode_canonical(self, kind: str, manifest: Json) -> Any:
        """The object of a manifest that `canonical_form` has written: no schema needs to read it first.

        Raises Undecodable, msgspec.ValidationError or KeyError where another version has written it otherwise."""
        return self._decode(kind, manifest)

    def _decode(self, kind: str, document: Json) -> Any:
        known = self._kinds.by_kind[kind]
        document = _without_given(document)
        if known.names.namespaced and not document["metadata"].get("namespace"):
            document = {**document, "metadata": {**document["metadata"], "namespace": DEFAULT_NAMESPACE}}
        return known.admission.decode(document, self._value)

    def _value(self, wanted: type, written: Any) -> Quantity:
        """Quantities are the one type that msgspec asks about."""
        text = str(written)  # 1 and 1.0 would be one key
        if (known := self._quantities.get(text)) is None:
            known = self._quantities[text] = Quantity.parse(text)
        return known


def _without_given(document: Json) -> Json:
    """Without what an API server gives to objects: a manifest that was read from one has it, and it changes
    nothing here."""
    metadata = document["metadata"]
    if "status" in document:
        document = {field: value for field, value in document.items() if field != "status"}
    if not isinstance(metadata, dict) or _GIVEN.isdisjoint(metadata):
        return document
    return {**document, "metadata": {field: value for field, value in metadata.items() if field not in _GIVEN}}


def decode_as(wanted: type[T]) -> Callable[[Json, ReadValue], T]:
    """How a document is decoded whose fields are those of the type."""

    def decode(document: Json, read_value: ReadValue) -> T:
        return msgspec.convert(document, wanted, dec_hook=read_value)

    return decode


def decoded_base64(written: str) -> bytes | None:
    """The bytes that a text stands for, whatever its line breaks; None if it is not base64."""
    try:
        return base64.b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
