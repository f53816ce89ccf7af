"""A text that must never be shown: it redacts itself wherever it is printed."""

from __future__ import annotations

import hashlib


class SecretText:
    """The value of a Secret. `reveal()` is called in one place: where the Docker API request is written."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def fingerprint(self, salt: str) -> str:
        """Tells whether two values differ, and nothing else about them."""
        return hashlib.sha256(f"{salt}\0{self._text}".encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "SecretText(***)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a SecretText is not serialised; reveal() it where it is used")
