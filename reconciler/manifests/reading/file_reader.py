"""From one file to its objects, or to everything that is wrong with it; no other file is looked at."""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.manifests.admission import AdmittedKind, AdmittedKinds
from reconciler.manifests.annotations.placement import AnnotationPlaces
from reconciler.manifests.checks.pod_references import with_pods
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import MOST_FINDINGS, Finding, as_text, quoted
from reconciler.manifests.manifest import Manifest
from reconciler.manifests.reading.canonical_form import (
    canonical_form,
    contents_digest,
    template_hash,
    template_json,
)
from reconciler.manifests.reading.decoding import DEFAULT_NAMESPACE, Decoder, Undecodable
from reconciler.manifests.reading.explaining import advise, explain
from reconciler.manifests.reading.unknown_kinds import unknown_kind
from reconciler.manifests.schemas import KindSchema
from reconciler.manifests.yaml.canonical_values import in_our_form
from reconciler.manifests.yaml.composer import Broken, Document, documents_of
from reconciler.manifests.yaml.positions import Positions, position_of
from reconciler.model.api.meta import Object, ref_of
from reconciler.model.desired import SourceFile
from reconciler.model.kinds import Names
from reconciler.model.names import Ref
from reconciler.model.problems import Place, Problem, Severity

LARGEST_FILE: Final = 4 << 20
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


class Contents(Struct, frozen=True, eq=False, gc=False):
    """What one file holds: its objects, and what is wrong with it."""

    manifests: tuple[Manifest[Any], ...] = ()
    problems: tuple[Problem, ...] = ()
    """Errors and warnings."""
    broken: tuple[Ref, ...] = ()
    """Objects that are in the file, but wrong: a reference to one of them is not reported as well."""
    opaque: bool = False
    """Whether it may hold objects that could not even be named."""


class FileReader:
    """Reads one file at a time; keeps the compiled schemas."""

    def __init__(self, kinds: AdmittedKinds, schemas: Mapping[str, KindSchema]) -> None:
        self._kinds = kinds
        self._schemas = schemas
        self._decoder = Decoder(kinds, schemas)
        self._annotations = AnnotationPlaces(kinds)
        self._quotable = frozenset(name for name, kind in kinds.by_kind.items() if not kind.admission.confidential)

    def read(self, file: SourceFile) -> Contents:
        """Never raises for what a file can hold."""
        text = decode_text(file)
        if isinstance(text, Problem):
            return Contents(problems=(text,), opaque=True)
        manifests: list[Manifest[Any]] = []
        problems: list[Problem] = []
        broken: list[Ref] = []
        opaque = False
        try:
            for number, document in enumerate(documents_of(text, self._quotable)):
                found, findings = self._object(document)
                if findings or document.findings:
                    problems += _problems(file.path, document, findings)
                if found is None:
                    opaque = True
                elif isinstance(found, Ref):
                    broken.append(found)
                else:
                    place = Place(file.path, *position_of(document.root))
                    manifests.append(self._manifest(found, place, number))
        except Broken as error:
            place = Place(file.path, *error.position)
            problems.append(Problem(place, error.code, error.message, error.fix))
            opaque = True
        return Contents(tuple(manifests), tuple(problems), tuple(broken), opaque)

    def place_of(self, file: SourceFile, document: int, finding: Finding) -> Place:
        """Reads the file once more, to find the place of something that only other files make wrong."""
        text = decode_text(file)
        assert isinstance(text, str), "a manifest comes from a readable file"
        for number, found in enumerate(documents_of(text, self._quotable)):
            if number == document:
                return Place(file.path, *Positions(found.root).of(finding.pointer, at_key=finding.at_key))
        raise AssertionError("a manifest comes from a document of its file")

    def _object(self, document: Document) -> tuple[Object | Ref | None, list[Finding]]:
        """What a document describes and the warnings about it; of a wrong one its name, if it has one, and why."""
        value = document.value
        kind = value.get("kind") if isinstance(value, dict) else None
        known = self._kinds.by_kind.get(kind) if isinstance(kind, str) else None
        if known is None:
            return None, [unknown_kind(value, self._kinds)]
        kind = known.names.kind
        value = known.admission.prepare(value)
        schema = self._schemas[kind]
        findings: list[Finding] = []
        if not schema.plain.is_valid(value):
            value = in_our_form(schema.schema, value)
            findings = self._form(known, value, document)
        if document.findings or _are_faults(findings):
            return _name_of(known.names, value), findings
        try:
            thing = self._decoder.decode(kind, value)
        except Undecodable as undecodable:
            return _name_of(known.names, value), [*findings, *undecodable.findings]
        findings += self._check(thing, known)
        return _name_of(known.names, value) if _are_faults(findings) else thing, findings

    def _check(self, object: Any, kind: AdmittedKind[Any]) -> Iterator[Finding]:
        """What the schema cannot say about one object."""
        admission = kind.admission
        if admission.is_served(object):
            template = admission.pod_template(object) if admission.pod_template is not None else None
            yield from self._annotations.check(object.metadata.annotations, kind, template)
        yield from admission.validate(object)

    def _form(self, kind: AdmittedKind[Any], value: Any, document: Document) -> list[Finding]:
        """The slower ways are taken only where the faster one does not settle it. `value` is what counts of it."""
        schema = self._schemas[kind.names.kind]
        if schema.plain.is_valid(value):
            return []
        if schema.full.is_valid(value):
            return list(advise(schema, value))
        if value.get("apiVersion") != kind.names.api_version:
            return [_wrong_version(kind.names, value)]
        of_unclear_kind = any(finding.pointer == ("kind",) for _, finding in document.findings)
        secret = kind.admission.confidential or of_unclear_kind
        return list(islice(explain(schema, value, secret=secret), MOST_FINDINGS))

    def _manifest(self, object: Object, place: Place, document: int) -> Manifest[Any]:
        ref = ref_of(object)
        kind = self._kinds.by_kind[ref.kind]
        admission = kind.admission
        canonical = canonical_form(object, ref, kind)
        relations, template = admission.refers(object), b""
        if admission.dependents is not None:
            relations = replace(relations, dependents=tuple(map(ref_of, admission.dependents(object))))
        if admission.pod_template is not None:
            pods = admission.pod_template(object)
            relations = with_pods(relations, pods, ref.namespace)
            template = template_json(canonical, pods.at, pods.beside)
        digest = ""
        if admission.contents is not None:
            digest = contents_digest(admission.contents(object, ref), ref)
        hashed = template_hash(template) if template else ""
        return Manifest(ref, object, place, document, canonical, template, hashed, digest, relations)


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


def _are_faults(findings: Sequence[Finding]) -> bool:
    """Whether there is more among them than warnings."""
    return any(finding.severity is Severity.ERROR for finding in findings) if findings else False


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


def as_problem(place: Place, finding: Finding) -> Problem:
    """The finding at its place in a file."""
    return Problem(place, finding.code, finding.message, finding.fix, as_text(finding.pointer), finding.severity)


def _name_of(kind: Names, value: Any) -> Ref | None:
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(name := metadata.get("name"), str):
        return None
    namespace = metadata.get("namespace") or DEFAULT_NAMESPACE
    return Ref(kind.kind, str(namespace) if kind.namespaced else "", name)


def _wrong_version(kind: Names, value: Any) -> Finding:
    fix = kind.api_version
    if "apiVersion" not in value:
        return Finding((), Code.MISSING_FIELD, '"apiVersion" is missing', f"add apiVersion: {fix}")
    message = f"{kind.kind} is not in {quoted(value['apiVersion'])}"
    return Finding(("apiVersion",), Code.WRONG_API_VERSION, message, f"write {fix}")


def _place_in(path: str, before: str) -> Place:
    line = before.count("\n") + 1
    return Place(path, line, len(before) - before.rfind("\n"))
