"""How the value of an annotation is read: into a number or one of a few words; ValueError for anything else."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted

_AT: Final[Pointer] = ("metadata", "annotations")
_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_DURATION: Final = re.compile(r"([0-9]{1,8})(ms|s|m|h)")


class Setting(NamedTuple):
    """An annotation that becomes a field of an object's options."""

    field: str
    """The name of the field; of an Ingress's Canary, after `canary_`."""
    read: Callable[[str], Any]
    """Raises ValueError for what is no such value."""
    form: str
    """How the value is written, for people."""


def read_settings(
    settings: Mapping[str, Setting], annotations: Mapping[str, str]
) -> tuple[dict[str, Any], list[Finding]]:
    """The values of the annotations that could be read, by field, and every error."""
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, setting in settings.items():
        if (written := annotations.get(name)) is None:
            continue
        try:
            values[setting.field] = setting.read(written)
        except ValueError:
            message = f"{quoted(written)} is not a value of {name}"
            findings.append(Finding((*_AT, name), Code.INVALID_ANNOTATION, message, f"write {setting.form}"))
    return values, findings


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of annotations that accepts these words only."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return read


def truth(text: str) -> bool:
    """The value of an annotation that is "true" or "false"."""
    return one_of("true", "false")(text) == "true"


def duration(longest: int) -> Callable[[str], int]:
    """A reader of times, such as `30s`: in milliseconds, more than none and at most `longest`."""

    def read(text: str) -> int:
        match = _DURATION.fullmatch(text)
        time = int(match[1]) * _UNITS[match[2]] if match else 0
        if not 0 < time <= longest:
            raise ValueError
        return time

    return read
