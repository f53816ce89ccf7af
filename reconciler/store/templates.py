"""The specs of pods as rows of their own: pods of one template have one row for it, by its digest.

A spec is most of what is remembered of a pod. After a restart the pods of one template have the same object, and
so has the revision of that template in its owner's history.
"""

import hashlib
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import PodIntent, TemplateRevision
from reconciler.store.encoding import decode_spec, decoder, encode

TEMPLATES: Final = "templates"
"""The part of the rows that the specs are."""
_MOST_KNOWN = 50_000
_digests: dict[int, tuple[PodSpec, str]] = {}
"""By the identity of the spec, which is kept with it. Nothing but speed depends on it."""


class PodRow(Struct, frozen=True):
    """What the row of one pod has."""

    intent: PodIntent
    """The intent without its spec."""
    template: str = ""
    """The digest of its spec; empty: it is not known."""


class RevisionRow(Struct, frozen=True):
    """What an object's row has of one revision of its template."""

    revision: TemplateRevision
    """The revision without its spec."""
    template: str = ""
    """The digest of its spec; empty: it is not known."""


decode_pod = decoder(PodRow).decode
decode_revisions = decoder(tuple[RevisionRow, ...]).decode


class Templates:
    """The specs that have been read, by digest."""

    def __init__(self) -> None:
        self._specs: dict[str, PodSpec] = {}

    def put(self, digest: str, text: str) -> None:
        self._specs[digest] = decode_spec(text)

    def intent_of(self, row: PodRow) -> PodIntent:
        """Return the intent of a pod with its spec. KeyError where the template has no row."""
        return replace(row.intent, spec=self._specs[row.template]) if row.template else row.intent

    def revision_of(self, row: RevisionRow) -> TemplateRevision:
        """Return the revision with its spec. KeyError where the template has no row."""
        return replace(row.revision, spec=self._specs[row.template]) if row.template else row.revision


def encode_intent(intent: PodIntent) -> str:
    return encode(PodRow(replace(intent, spec=None), template_of(intent.spec)))


def encode_revisions(revisions: tuple[TemplateRevision, ...]) -> str:
    return encode([RevisionRow(replace(one, spec=None), template_of(one.spec)) for one in revisions])


def template_of(spec: PodSpec | None) -> str:
    """The digest of a spec; empty where there is none."""
    if spec is None:
        return ""
    known = _digests.get(id(spec))
    if known is not None and known[0] is spec:
        return known[1]
    if len(_digests) >= _MOST_KNOWN:
        _digests.clear()
    found = template_digest(encode(spec))
    _digests[id(spec)] = (spec, found)
    return found


def template_digest(text: str) -> str:
    """Return the digest of a spec as it is written."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]
