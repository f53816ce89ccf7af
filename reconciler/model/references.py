"""`$(NAME)` in commands, arguments, variables and sub-paths: the references in a text, and what it becomes.

The scanner is Kubernetes': a name is everything up to the next `)`, whatever that is; `$$` is one `$`; a reference
without its `)`, or to what has no value, stays as it is written.
https://github.com/kubernetes/kubernetes/blob/master/third_party/forked/golang/expansion/expand.go
"""

import re
from collections.abc import Callable
from typing import Final

_REFERENCE: Final = re.compile(r"\$(?:\$|\(([^)]*)\))")


def references(text: str) -> tuple[str, ...]:
    """The names that `text` refers to, in order."""
    if "$" not in text:
        return ()
    return tuple(match[1] for match in _REFERENCE.finditer(text) if match[1] is not None)


def expand_references(text: str, value_of: Callable[[str], str | None]) -> str:
    """`text` with the value of each name in its place; None: it has none."""
    if "$" not in text:
        return text

    def expanded(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        value = value_of(match[1])
        return match[0] if value is None else value

    return _REFERENCE.sub(expanded, text)
