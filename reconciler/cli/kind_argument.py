"""A kind as kubectl lets it be named on the command line, and the list of kinds for help and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

from reconciler.kinds import KINDS
from reconciler.model.kinds import Names

KINDS_BY_ALIAS: Final[Mapping[str, Names]] = {alias: kind.names for kind in KINDS for alias in kind.names.aliases}
"""Every kind under each of its names, in lower case: singular, plural and short."""


class KindArgument(click.ParamType[Names]):
    """A kind by its singular, its plural or a short name, in letters of either case."""

    name = "kind"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"Name {kinds_in_words()}."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Names:
        if isinstance(value, Names):
            return value
        known = KINDS_BY_ALIAS.get(str(value).lower())
        if known is None:
            self.fail(f"{value!r} is not a kind that is kept here; name {kinds_in_words()}", param, ctx)
        return known


def kinds_in_words(*, hints: bool = False) -> str:
    """Every kind by its plural, with its short names in brackets: `pods (po), … or events (ev)`.

    `hints`: also what a kind's names say beyond that.
    """
    return _enumerated(_in_words(kind.names, hints=hints) for kind in KINDS)


def described_kinds_in_words() -> str:
    """Every kind that has a page of its own, by its singular: `pod (po), … or persistentvolumeclaim (pvc)`."""
    with_page = (kind.names for kind in KINDS if kind.view is not None and kind.view.describe is not None)
    return _enumerated(f"{names.singular} ({', '.join(names.short)})" for names in with_page)


def _enumerated(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"


def _in_words(names: Names, *, hints: bool) -> str:
    inside = "; ".join(filter(None, (", ".join(names.short), names.hint if hints else "")))
    return f"{names.plural} ({inside})" if inside else names.plural
