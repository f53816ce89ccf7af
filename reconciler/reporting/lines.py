"""A line of a report: its words, and what kind of line it is, which the command line turns into a colour."""

import re
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Style(StrEnum):
    PLAIN = "plain"
    HEAD = "head"
    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"
    WARN = "warn"
    ERROR = "error"
    DIM = "dim"


class Line(Struct, frozen=True):
    style: Style
    text: str
    """One line, without its line feed, and inert."""


_LIVE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 (ESC, CR, LF, NUL), DEL and C1 (CSI in one byte)
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, or reorders
    "\U000e0000-\U000e007f\ud800-\udfff]"  # tags; halves of surrogate pairs, which cannot be written at all
)


def inert(text: str) -> str:
    """The same words; a character that acts on a terminal, or hides, is written out: `\\x1b`, `\\n`, `\\u202e`."""
    return _LIVE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
