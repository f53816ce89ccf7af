"""From one file to its objects, or to everything that is wrong with it; no other file is looked at."""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from reconciler.manifests.checks.ingresses import without_foreign_spec
from reconciler.manifests.checks.objects import check_object
from reconciler.manifests.checks.relations import Uses, uses_of
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import MOST_FINDINGS, Finding, as_text, quoted
from reconciler.manifests.reading.canonical_form import as_written, contents_digest, template_hash, template_json
from reconciler.manifests.reading.decoding import DEFAULT_NAMESPACE, Decoder, Undecodable
from reconciler.manifests.reading.explaining import advise, explain
from reconciler.manifests.reading.unknown_kinds import unknown_kind
from reconciler.manifests.schemas import KINDS, KindSchema
from reconciler.manifests.yaml.canonical_values import in_our_form
from reconciler.manifests.yaml.composer import Broken, Document, documents_of
from reconciler.manifests.yaml.positions import Positions, position_of
from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import Object, ref_of
from reconciler.model.desired import Json, SourceFile
from reconciler.model.names import CLUSTER_SCOPED, Ref
from reconciler.model.problems import Place, Problem, Severity

LARGEST_FILE: Final = 4 << 20
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_PUBLIC_KINDS: Final = frozenset(KINDS) - {"Secret"}


class Entry(Struct, frozen=True, eq=False):
    """An object of a file. The same entry is used as long as the file's bytes are the same."""

    ref: Ref
    thing: Object
    place: Place
    document: int
    """Which one of the file's documents, from 0."""
    written: Json
    template: bytes
    """Of a Pod or Deployment: what makes its pods what they are, but for what `uses` refers to."""
    hash: str
    """Of `template` alone."""
    digest: str
    """Of a ConfigMap or Secret: of its contents."""
    uses: Uses


class Contents(Struct, frozen=True, eq=False):
    """What one file holds."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Errors and warnings."""
    broken: tuple[Ref, ...] = ()
    """Objects that are there, but wrong: a reference to one of them is not reported as well."""
    opaque: bool = False
    """It may hold objects that could not even be named."""


class FileReader:
    """Reads one file at a time; keeps the compiled schemas."""

    def __init__(self, schemas: Mapping[str, KindSchema]) -> None:
        self._schemas = schemas
        self._decoder = Decoder(schemas)

    def read(self, file: SourceFile) -> Contents:
        """Never raises for what a file can hold."""
        text = decode_text(file)
        if isinstance(text, Problem):
            return Contents(problems=(text,), opaque=True)
        entries: list[Entry] = []
        problems: list[Problem] = []
        broken: list[Ref] = []
        opaque = False
        try:
            for number, document in enumerate(documents_of(text, _PUBLIC_KINDS)):
                found, findings = self._object(document)
                problems += _problems(file.path, document, findings)
                if found is None:
                    opaque = True
                elif isinstance(found, Ref):
                    broken.append(found)
                else:
                    entries.append(_entry(found, Place(file.path, *position_of(document.root)), number))
        except Broken as error:
            place = Place(file.path, *error.position)
            problems.append(Problem(place, error.code, error.message, error.fix))
            opaque = True
        return Contents(tuple(entries), tuple(problems), tuple(broken), opaque)

    def _object(self, document: Document) -> tuple[Object | Ref | None, list[Finding]]:
        """What a document describes and the warnings about it; of a wrong one its name, if it has one, and why."""
        value = document.value
        kind = value.get("kind") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in self._schemas:
            return None, [unknown_kind(value)]
        if kind == "Ingress":
            value = without_foreign_spec(value)
        schema = self._schemas[kind]
        findings: list[Finding] = []
        if not schema.plain.is_valid(value):
            value = in_our_form(schema.schema, value)
            findings = self._form(kind, value, document)
        if document.findings or any(finding.severity is Severity.ERROR for finding in findings):
            return _name_of(kind, value), findings
        try:
            thing = self._decoder.decode(kind, value)
        except Undecodable as undecodable:
            return _name_of(kind, value), [*findings, *undecodable.findings]
        findings += check_object(thing)
        faulty = any(finding.severity is Severity.ERROR for finding in findings)
        return _name_of(kind, value) if faulty else thing, findings

    def _form(self, kind: str, value: Any, document: Document) -> list[Finding]:
        """The slower ways are taken only where the faster one does not settle it. `value` is what counts of it."""
        schema = self._schemas[kind]
        if schema.plain.is_valid(value):
            return []
        if schema.full.is_valid(value):
            return list(advise(schema, value))
        if value.get("apiVersion") != KINDS[kind]:
            return [_wrong_version(kind, value)]
        secret = kind == "Secret" or any(finding.pointer == ("kind",) for _, finding in document.findings)
        return list(islice(explain(schema, value, secret=secret), MOST_FINDINGS))


def _problems(path: str, document: Document, findings: Sequence[Finding]) -> Iterator[Problem]:
    """Leaves out what is said already, at the same place, about how a value is written."""
    for position, finding in document.findings:
        yield as_problem(Place(path, *position), finding)
    if findings:
        said = {finding.pointer for _, finding in document.findings}
        positions = Positions(document.root)
        for finding in findings:
            if finding.pointer not in said:
                yield as_problem(Place(path, *positions.of(finding.pointer, at_key=finding.at_key)), finding)


def decode_text(file: SourceFile) -> str | Problem:
    """The text of a file, or why it is none."""
    content = file.content
    if len(content) > LARGEST_FILE:
        message = f"the file has {len(content):,} bytes, more than {LARGEST_FILE:,}"
        return Problem(Place(file.path), Code.FILE_TOO_LARGE, message, "split it")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Problem(Place(file.path, 1, 1), Code.NOT_UTF8, "the file is UTF-16", "save it as UTF-8")
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        place = _place_in(file.path, content[: error.start].decode("utf-8", "replace"))
        return Problem(
            place, Code.NOT_UTF8, "the file is not UTF-8 text", "save it as UTF-8, or rename a binary file"
        )
    if found := _CONTROL.search(text):
        place = _place_in(file.path, text[: found.start()])
        message = f"the file holds the control character U+{ord(found.group()):04X}"
        return Problem(place, Code.CONTROL_CHARACTER, message, "remove it; in quotes it can be written as \\u0000")
    return text


def place_of(file: SourceFile, document: int, finding: Finding) -> Place:
    """Reads the file once more, to find the place of something that only other files make wrong."""
    text = decode_text(file)
    assert isinstance(text, str), "an entry comes from a readable file"
    for number, found in enumerate(documents_of(text, _PUBLIC_KINDS)):
        if number == document:
            return Place(file.path, *Positions(found.root).of(finding.pointer, at_key=finding.at_key))
    raise AssertionError("an entry comes from a document of its file")


def as_problem(place: Place, finding: Finding) -> Problem:
    return Problem(place, finding.code, finding.message, finding.fix, as_text(finding.pointer), finding.severity)


def _entry(thing: Object, place: Place, number: int) -> Entry:
    ref = ref_of(thing)
    written = as_written(thing, ref)
    template = template_json(written) if isinstance(thing, Pod | Deployment) else b""
    hashed = template_hash(template) if template else ""
    digest = contents_digest(thing, ref) if isinstance(thing, ConfigMap | Secret) else ""
    return Entry(ref, thing, place, number, written, template, hashed, digest, uses_of(thing))


def _name_of(kind: str, value: Any) -> Ref | None:
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(name := metadata.get("name"), str):
        return None
    namespace = metadata.get("namespace") or DEFAULT_NAMESPACE
    return Ref(kind, "" if kind in CLUSTER_SCOPED else str(namespace), name)


def _wrong_version(kind: str, value: Any) -> Finding:
    if "apiVersion" not in value:
        return Finding((), Code.MISSING_FIELD, '"apiVersion" is missing', f"add apiVersion: {KINDS[kind]}")
    message = f"{kind} is not in {quoted(value['apiVersion'])}"
    return Finding(("apiVersion",), Code.WRONG_API_VERSION, message, f"write {KINDS[kind]}")


def _place_in(path: str, before: str) -> Place:
    line = before.count("\n") + 1
    return Place(path, line, len(before) - before.rfind("\n"))
