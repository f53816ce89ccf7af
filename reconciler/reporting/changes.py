"""One change in words: signs, values and reasons, as the text and the Markdown both show them."""

import json
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Action, FieldChange, PodChange
from reconciler.reporting.lines import inert

LONGEST_VALUE: Final = 80
"""Characters; a longer value is cut, around the first difference where there are two."""

_SEVERAL: Final = 2
"""Lines."""

POD_SIGNS: Final = {
    Action.CREATE: "+",
    Action.DELETE: "-",
    Action.RESTART: "~",
    Action.MOVE: "-/+",
    Action.FORGET: "!",
}


LONGEST_TEXT: Final = 40
"""Lines of a text's difference; what is over is counted."""


def net(changes: Iterable[PodChange]) -> tuple[PodChange, ...]:
    """Each pod once, by its workload and name: of one that comes, or goes in the end, no repair is told."""
    counted: dict[Uid, PodChange] = {}
    rest: list[PodChange] = []
    for change in changes:
        before = counted.get(change.uid)
        if change.action is Action.RESTART:
            counted.setdefault(change.uid, change)
        elif before is None or before.action is Action.RESTART:
            counted[change.uid] = change
        else:
            rest.append(change)  # It comes and goes again: both are told.
    return tuple(sorted((*counted.values(), *rest), key=_in_order))


def owner_of(change: PodChange) -> Ref:
    """A bare Pod stands for itself."""
    return change.owner or change.pod


def pod_words(change: PodChange) -> str:
    """Why, and why there."""
    where = f" ({change.node}: {change.chosen})" if change.chosen else ""
    return f"{change.reason}{where}"


def _in_order(change: PodChange) -> tuple[Ref, str, str, str]:
    return owner_of(change), change.pod.name, change.node, change.uid


def field_lines(field: FieldChange) -> list[tuple[str, str]]:
    """Return the lines of a longer text that go (`-`) and come (`+`), each with its sign; none for a text of one
    line.
    """
    if field.secret or not all(isinstance(value, str | None) for value in (field.before, field.after)):
        return []
    old, new = ((value or "").splitlines() for value in (field.before, field.after))
    if max(len(old), len(new)) < _SEVERAL:
        return []
    told = list(_line_changes(old, new))
    more = len(told) - LONGEST_TEXT
    shown = [(sign, inert(line)) for sign, line in told[:LONGEST_TEXT]]
    return [*shown, (" ", f"… ({more} more lines)")] if more > 0 else shown


def _line_changes(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str]]:
    for what, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        pairs = [_around_difference(*pair) for pair in zip(old[a:b], new[c:d], strict=False)]
        both = len(pairs)
        yield from (("-", line) for line, _ in pairs)
        yield from (("-", _short(line)) for line in old[a + both : b])
        yield from (("+", line) for _, line in pairs)
        yield from (("+", _short(line)) for line in new[c + both : d])


def field_sign(field: FieldChange) -> str:
    if field.secret or (field.before is not None and field.after is not None):
        return "~"
    return "+" if field.before is None else "-"


def field_words(field: FieldChange) -> str:
    """`spec.replicas: 2 → 4`; of a Secret, only that it differs, whatever the change carries."""
    if field.secret:
        words = "(secret value changed)"
    elif field_lines(field):
        words = ""
    elif field.before is None:
        words = _short(_shown(field.after))
    elif field.after is None:
        words = _short(_shown(field.before))
    else:
        words = " → ".join(_around_difference(_shown(field.before), _shown(field.after)))
    return inert(f"{field.path}: {words}".rstrip())


def pod_where(change: PodChange) -> str:
    return f"{change.from_node} → {change.node}" if change.from_node else change.node


def _shown(value: Any) -> str:
    """As JSON: a text is told from a number, and a line feed is seen."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _short(text: str, start: int = 0) -> str:
    head = "…" if start else ""
    cut = text[start : start + LONGEST_VALUE]
    return f"{head}{cut}… ({len(text)} characters)" if start + LONGEST_VALUE < len(text) else f"{head}{cut}"


def _around_difference(before: str, after: str) -> tuple[str, str]:
    if max(len(before), len(after)) <= LONGEST_VALUE:
        return before, after
    pairs = enumerate(zip(before, after, strict=False))
    first = next((place for place, (old, new) in pairs if old != new), min(len(before), len(after)))
    start = max(0, first - LONGEST_VALUE // 4)
    return _short(before, start), _short(after, start)
