"""One change in words: signs, values and reasons, as the text and the Markdown both show them."""

import json
from typing import Any, Final

from reconciler.model.plan import Action, FieldChange, PodChange
from reconciler.reporting.lines import inert

LONGEST_VALUE: Final = 80
"""Characters; a longer value is cut, around the first difference where there are two."""

POD_SIGNS: Final = {
    Action.CREATE: "+",
    Action.DELETE: "-",
    Action.RESTART: "~",
    Action.MOVE: "-/+",
    Action.FORGET: "!",
}


def field_sign(field: FieldChange) -> str:
    if field.secret or (field.before is not None and field.after is not None):
        return "~"
    return "+" if field.before is None else "-"


def field_words(field: FieldChange) -> str:
    """`spec.replicas: 2 → 4`; of a Secret, only that it differs, whatever the change carries."""
    if field.secret:
        words = "(secret value changed)"
    elif field.before is None:
        words = _short(_shown(field.after))
    elif field.after is None:
        words = _short(_shown(field.before))
    else:
        words = " → ".join(_around_difference(_shown(field.before), _shown(field.after)))
    return inert(f"{field.path}: {words}")


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
