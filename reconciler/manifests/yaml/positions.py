"""Where in a file each value of a document stands; made only for documents that have a problem."""

from collections.abc import Iterator
from typing import Any

from yaml import MappingNode, Node, ScalarNode

from reconciler.manifests.findings import Pointer

Position = tuple[int, int]
"""Line and column, from 1."""


def position_of(node: Node) -> Position:
    """The line and the column of a node, counted from 1."""
    return node.start_mark.line + 1, node.start_mark.column + 1


class Positions:
    """Where each value of one document stands."""

    def __init__(self, root: Node) -> None:
        self._values: dict[Pointer, Position] = {}
        self._keys: dict[Pointer, Position] = {}
        self._pointers: dict[int, Pointer] = {}
        for pointer, key, value in _walk(root, ()):
            self._values.setdefault(pointer, position_of(value))
            self._pointers.setdefault(id(value), pointer)
            if key is not None:
                self._keys.setdefault(pointer, position_of(key))
                self._pointers.setdefault(id(key), pointer)

    def of(self, pointer: Pointer, *, at_key: bool = False) -> Position:
        """Return the position of a value, or of its key; of the nearest thing around it if the document has no
        such value.
        """
        if at_key and pointer in self._keys:
            return self._keys[pointer]
        while pointer and pointer not in self._values:
            pointer = pointer[:-1]
        return self._values[pointer]

    def pointer_to(self, node: Node) -> Pointer:
        """The first way to this very node; a key has the pointer of its value."""
        return self._pointers.get(id(node), ())


def _walk(node: Node, pointer: Pointer) -> Iterator[tuple[Pointer, Node | None, Node]]:
    """Every value with its pointer, and its key where it has one; flatly, in the order of the text."""
    pending: list[tuple[Pointer, Node | None, Node]] = [(pointer, None, node)]
    while pending:
        pointer, key, value = pending.pop()
        yield pointer, key, value
        if value.__class__ is not ScalarNode:
            pending.extend(reversed(list(_children(pointer, value))))


def _children(pointer: Pointer, node: Node) -> Iterator[tuple[Pointer, Node | None, Node]]:
    if node.__class__ is MappingNode:
        for key, value in node.value:
            yield (*pointer, _step(key)), key, value
    else:
        for index, value in enumerate(node.value):
            yield (*pointer, index), None, value


def _step(key: Node) -> str:
    text: Any = key.value
    return text if isinstance(text, str) else "?"
