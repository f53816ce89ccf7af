"""Our own annotations: each has its form, and its place; anywhere else it would be a silent mistake."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from reconciler.manifests.annotations.ingress import SETTINGS
from reconciler.manifests.annotations.service import SERVICE_SETTINGS
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted, warning
from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.pod import Pod, PodSpec
from reconciler.model.api.meta import Object
from reconciler.model.names import (
    ANNOTATION_CONDITIONS,
    ANNOTATION_HOST_KEY,
    ANNOTATION_RECLAIM,
    ANNOTATION_RESTART_ON_CHANGE,
    ANNOTATION_SSH,
    GROUP,
)

TEMPLATE: Final = "Deployment's template"
"""Its metadata is apart from the Deployment's own."""

_SETTINGS: Final = {"Service": SERVICE_SETTINGS, "Ingress": SETTINGS}
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    ANNOTATION_SSH: ("Node",),
    ANNOTATION_HOST_KEY: ("Node",),
    ANNOTATION_CONDITIONS: ("Deployment", "Pod"),
    ANNOTATION_RESTART_ON_CHANGE: (TEMPLATE, "Pod"),
    ANNOTATION_RECLAIM: ("PersistentVolumeClaim",),
    **{
        name: tuple(kind for kind, names in _SETTINGS.items() if name in names)
        for name in (*SERVICE_SETTINGS, *SETTINGS)
    },
}
_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    ANNOTATION_RESTART_ON_CHANGE: ("true", "false"),
    ANNOTATION_RECLAIM: ("Retain", "Delete"),
}
_CONDITION: Final = r"([-A-Za-z0-9.]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?=(True|False|Unknown)"
_CONDITIONS: Final = re.compile(f"{_CONDITION}(,{_CONDITION})*")


def check_annotations(thing: Object) -> Iterator[Finding]:
    """Errors and warnings about one object."""
    annotations = thing.metadata.annotations
    yield from _known(annotations, type(thing).__name__, ("metadata", "annotations"))
    if isinstance(thing, Deployment):
        template = thing.spec.template
        at: Pointer = ("spec", "template", "metadata", "annotations")
        yield from _known(template.metadata.annotations, TEMPLATE, at)
        yield from _conditions(annotations, template.spec)
    elif isinstance(thing, Pod):
        yield from _conditions(annotations, thing.spec)


def _known(annotations: Mapping[str, str], kind: str, at: Pointer) -> Iterator[Finding]:
    for name, value in annotations.items():
        if not name.startswith(f"{GROUP}/"):
            continue
        here = (*at, name)
        places = _PLACES.get(name)
        if places is None:
            near = get_close_matches(name[:80], _PLACES, n=1)
            fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(_PLACES)}"
            message = f"there is no annotation {quoted(name)}"
            yield Finding(here, Code.INVALID_ANNOTATION, message, fix, at_key=True)
        elif kind not in places:
            wanted = " or ".join(
                "a Deployment's template" if place == TEMPLATE else _with_article(place) for place in places
            )
            message = f"{name} belongs on {wanted}"
            yield Finding(here, Code.INVALID_ANNOTATION, message, "move it there", at_key=True)
        elif (values := _VALUES.get(name)) is not None and value not in values:
            message = f"{quoted(value)} is not a value of {name}"
            fix = f"write {' or '.join(quoted(known) for known in values)}"
            yield Finding(here, Code.INVALID_ANNOTATION, message, fix)


def _with_article(kind: str) -> str:
    return f"an {kind}" if kind.startswith("I") else f"a {kind}"


def _conditions(annotations: Mapping[str, str], spec: PodSpec) -> Iterator[Finding]:
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
