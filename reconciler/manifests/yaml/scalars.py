"""How an unquoted YAML value is read: only what YAML 1.1, YAML 1.2 and a person read alike.

Kubernetes' tools read YAML 1.1, where `no` is false, `010` is eight and `1:20` is eighty. Nothing is
guessed here: such a value is a problem whose fix says how to write what was meant.
"""

import re
from typing import Final

Scalar = str | int | float | bool | None

_MEANT: Final[dict[str, Scalar]] = {"true": True, "false": False, "": None, "null": None}
_BOOLEANS: Final = frozenset(
    form
    for word in ("yes", "no", "on", "off", "y", "n", "true", "false")
    for form in (word, word.capitalize(), word.upper())
) - {"true", "false"}
_NULLS: Final = frozenset({"~", "Null", "NULL"})
SPECIAL: Final = _BOOLEANS | _NULLS | frozenset(_MEANT) | {"<<", "="}
"""Words that are not simply text."""
NUMERIC: Final = frozenset("0123456789+-.")
"""How anything that YAML may read as a number or a date begins."""

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_SURPRISES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"[-+]?0[0-7_]+"), "an octal number to YAML 1.1"),
    (re.compile(r"[-+]?0o[0-7_]+"), "an octal number to YAML 1.2"),
    (re.compile(r"[-+]?0x[0-9a-fA-F_]+"), "a hexadecimal number"),
    (re.compile(r"[-+]?0b[01_]+"), "a binary number to YAML 1.1"),
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"), "a number in base 60 to YAML 1.1"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?"), "a date to YAML 1.1"),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)"), "not a finite number"),
    (
        re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"),
        "a number in a form that readers differ on",
    ),
)


_FILE_MODE: Final = re.compile(r"0[0-7]{3,4}")
FILE_MODES: Final = frozenset({"mode", "defaultMode"})
"""Fields that hold permission bits."""


_OCTAL: Final = re.compile(r"(?:0|0o)?([0-7]{3})")


class Ambiguous(Exception):
    """A plain value that not every reader takes for the same; carries what it is to whom."""


def read_plain(text: str) -> Scalar:
    """The value of an unquoted scalar; raises Ambiguous with the reason."""
    if text in _MEANT:
        return _MEANT[text]
    if text in _BOOLEANS:
        raise Ambiguous("a boolean to some YAML readers and text to others")
    if text in _NULLS:
        raise Ambiguous("the empty value to YAML")
    if text[0] not in NUMERIC:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    for pattern, what in _SURPRISES:
        if pattern.fullmatch(text):
            raise Ambiguous(what)
    return text


def read_file_mode(text: str) -> int | None:
    """Read an unquoted `0644`: permission bits are octal to Kubernetes' tools and to people. None: it is no such
    number.
    """
    return int(text, 8) if _FILE_MODE.fullmatch(text) else None


def how_to_write_mode(text: str) -> str:
    """Permission bits that were meant by `0o644` or `644`; empty where there are none."""
    if (match := _OCTAL.fullmatch(text)) is None:
        return ""
    return f"write 0{match[1]}, or {int(match[1], 8)}"


def how_to_write(text: str, *, wanted: str) -> str:
    """Say how to write what an Ambiguous value was meant to be. `wanted`: text, mode, or empty for anything."""
    if wanted == "text":
        return "quote it"
    if wanted == "mode":
        return how_to_write_mode(text) or "write permission bits like 0644, or 420"
    if (word := text.lower()) in {"yes", "on", "y", "true"}:
        return "write true, or quote it"
    if word in {"no", "off", "n", "false"}:
        return "write false, or quote it"
    if word in {"~", "null"}:
        return "leave the line out, or quote it"
    return "quote it, or write a plain decimal number"
