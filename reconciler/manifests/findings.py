"""What a check says about a document, before it is known on which line; and how hostile text is quoted."""

from typing import Final

from msgspec import Struct

from reconciler.manifests.codes import Code
from reconciler.model.problems import Severity

MOST_FINDINGS: Final = 1000
"""How many findings of one document are reported; with so many, nobody misses the rest."""
_LONGEST: Final = 60

Pointer = tuple[str | int, ...]
"""The way into a document: keys and list indexes."""


class Finding(Struct, frozen=True):
    """One problem of one document; the reader of files turns it into a Problem with a place."""

    pointer: Pointer
    code: Code
    message: str
    fix: str = ""
    severity: Severity = Severity.ERROR
    at_key: bool = False
    """The key is at fault, not its value."""


def warning(pointer: Pointer, code: Code, message: str, fix: str = "", *, at_key: bool = False) -> Finding:
    """A finding that does not keep a revision from being applied."""
    return Finding(pointer, code, message, fix, Severity.WARNING, at_key)


def as_text(pointer: Pointer) -> str:
    """The pointer as a JSON pointer (RFC 6901) that is safe to print."""
    return "".join("/" + escaped(str(part)).replace("~", "~0").replace("/", "~1") for part in pointer)


def quoted(value: object) -> str:
    """A value from a manifest for a message: control characters escaped, long ones cut, in quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    shown = escaped(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")
    return f'"{shown}"' if isinstance(value, str) else shown


def escaped(text: str) -> str:
    """The text without characters that a terminal, a log or a page would obey."""
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
