"""Our own annotations: each has its form, and its place; anywhere else it would be a silent mistake."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from reconciler.manifests.admission import AdmittedKind, AdmittedKinds
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted, warning
from reconciler.manifests.relations import PodTemplate
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.names import ANNOTATION_CONDITIONS, GROUP

_CONDITION: Final = r"([-A-Za-z0-9.]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?=(True|False|Unknown)"
_CONDITIONS: Final = re.compile(f"{_CONDITION}(,{_CONDITION})*")


class AnnotationPlaces:
    """Which annotation of ours belongs on objects of which kinds, and on which pod templates."""

    def __init__(self, kinds: AdmittedKinds) -> None:
        self._places: dict[str, list[str]] = {}
        for name, kind in kinds.by_kind.items():
            for annotation in kind.admission.annotations:
                self._places.setdefault(annotation, []).append(_with_article(name))
            for annotation in kind.admission.template_annotations:
                self._places.setdefault(annotation, []).append(f"{_with_article(name)}'s template")

    def check(
        self, annotations: Mapping[str, str], kind: AdmittedKind[Any], template: PodTemplate | None
    ) -> Iterator[Finding]:
        """Errors about the annotations of one object, and about those of its pod template if it has one."""
        if annotations:
            yield from self._check(annotations, kind.admission.annotations, ("metadata", "annotations"))
        if template is not None and template.at and template.annotations:
            at = (*template.at, "metadata", "annotations")
            yield from self._check(template.annotations, kind.admission.template_annotations, at)

    def _check(
        self, annotations: Mapping[str, str], allowed: Mapping[str, tuple[str, ...]], at: Pointer
    ) -> Iterator[Finding]:
        for name, value in annotations.items():
            if not name.startswith(f"{GROUP}/"):
                continue
            here = (*at, name)
            if (places := self._places.get(name)) is None:
                near = get_close_matches(name[:80], self._places, n=1)
                fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(self._places)}"
                message = f"there is no annotation {quoted(name)}"
                yield Finding(here, Code.INVALID_ANNOTATION, message, fix, at_key=True)
            elif (values := allowed.get(name)) is None:
                message = f"{name} belongs on {' or '.join(places)}"
                yield Finding(here, Code.INVALID_ANNOTATION, message, "move it there", at_key=True)
            elif values and value not in values:
                message = f"{quoted(value)} is not a value of {name}"
                fix = f"write {' or '.join(quoted(known) for known in values)}"
                yield Finding(here, Code.INVALID_ANNOTATION, message, fix)


def _with_article(kind: str) -> str:
    return f"an {kind}" if kind.startswith("I") else f"a {kind}"


def check_conditions(annotations: Mapping[str, str], spec: PodSpec) -> Iterator[Finding]:
    """Errors and warnings about the conditions that an object sets for the readiness gates of its pods."""
    if (value := annotations.get(ANNOTATION_CONDITIONS)) is None:
        return
    at: Pointer = ("metadata", "annotations", ANNOTATION_CONDITIONS)
    if len(value) > 4096 or _CONDITIONS.fullmatch(value) is None:
        message = f"{quoted(value)} is not a list of conditions"
        fix = 'write "type=True,other=False": types of readiness gates, and True, False or Unknown, without spaces'
        yield Finding(at, Code.INVALID_ANNOTATION, message, fix)
        return
    types = [condition.partition("=")[0] for condition in value.split(",")]
    gates = {gate.condition_type for gate in spec.readiness_gates}
    for name in types:
        if types.count(name) > 1:
            message = f"{quoted(name)} is given more than once"
            yield Finding(at, Code.INVALID_ANNOTATION, message, "give it once")
            return
        if name not in gates:
            message = f"no readiness gate of the pods waits for {quoted(name)}: it changes nothing"
            yield warning(at, Code.IGNORED_FIELD, message, "correct it, add the gate, or leave it")
