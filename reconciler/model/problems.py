"""What is wrong with a revision, and where: the only way bad input is reported."""

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    ERROR = "error"
    """Rejects the revision."""
    WARNING = "warning"
    """The revision is accepted; something in it changes nothing here."""


class Place(Struct, frozen=True, order=True):
    """Where in the source; `line` and `column` count from 1, 0 where the whole file is meant."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


class Problem(Struct, frozen=True):
    """One finding: where, what, and how to fix it. Never holds a Secret's value."""

    place: Place
    code: str
    """Stable and searchable, like `unknown-field`; listed in docs/reference/problems.md."""
    message: str
    fix: str = ""
    pointer: str = ""
    """JSON pointer (RFC 6901) into the document."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        parts = [f"{self.place}", self.pointer, self.message, f"({self.fix})" if self.fix else ""]
        return "  ".join(part for part in parts if part)
