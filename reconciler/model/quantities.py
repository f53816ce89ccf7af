"""Amounts of CPU and memory, held exactly.

Rule: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_PATTERN: Final = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:[eE]([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)")
_SUFFIX: Final[dict[str, Fraction]] = {
    **{suffix: Fraction(10) ** exponent for suffix, exponent in zip("num", (-9, -6, -3), strict=True)},
    "": Fraction(1),
    **{suffix: Fraction(10) ** (3 * power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


class Quantity:
    """An exact amount, which remembers how it was written (`text`), and compares by its value."""

    __slots__ = ("text", "value")

    text: str
    value: Fraction

    def __init__(self, text: str, value: Fraction) -> None:
        self.text = text
        self.value = value

    @classmethod
    def parse(cls, text: str | int | float) -> Quantity:
        """Read `100m`, `1.5`, `512Mi`, `1e3`; ValueError, saying what is wrong, for anything else."""
        text = str(text)
        if len(text) > 64 or (match := _PATTERN.fullmatch(text)) is None:
            raise ValueError(
                f"{text[:64]!r} is not a quantity: write a number with an optional suffix, like 100m or 512Mi"
            )
        number, exponent, suffix = match.groups()
        scale = Fraction(10) ** int(exponent) if exponent else _SUFFIX[suffix or ""]
        return cls(text, Fraction(number) * scale)

    @property
    def milli(self) -> int:
        """Thousandths, rounded up: the unit of CPU."""
        return -int(-self.value * 1000 // 1)

    @property
    def whole(self) -> int:
        """Units, rounded up: bytes, for memory."""
        return -int(-self.value // 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Quantity({self.text!r})"

    def __str__(self) -> str:
        return self.text
