"""From the text of a file to plain Python values, with libyaml; no tag is ever constructed.

Everything that YAML allows and a manifest must not hold becomes a finding on its line: aliases that
explode, merge keys, tags, duplicate keys, and values that readers differ on.
"""

from collections.abc import Iterator
from typing import Any, Final, cast

from msgspec import Struct
from yaml import MappingNode, Node, ScalarNode, YAMLError
from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    NodeEvent,
    StreamEndEvent,
)

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import MOST_FINDINGS, Finding, Pointer, quoted
from reconciler.manifests.yaml.positions import Position, Positions, position_of
from reconciler.manifests.yaml.scalars import (
    FILE_MODES,
    NUMERIC,
    SPECIAL,
    Ambiguous,
    Scalar,
    how_to_write,
    read_file_mode,
    read_plain,
)

DEEPEST: Final = 64
MOST_VALUES: Final = 50_000
LARGEST_EXPANSION: Final = 1 << 20
"""Characters and values that a document with aliases may stand for."""
_SAFE_TO_RECURSE: Final = 4 << 10
"""Characters. libyaml's composer recurses in C, at most once for every two characters; a longer text is
looked through flatly first, so that its depth is known."""


_TEXTS_OF_DATA: Final = (("data",), ("stringData",), ("binaryData",))
_TEXT_MAPS: Final = tuple(
    (name,) for name in ("labels", "annotations", "matchLabels", "nodeSelector", "selector", "command", "args")
)
"""Fields all of whose values are texts."""


class Broken(Exception):
    """The text is not YAML, or is not accepted as such; nothing after this place was read."""

    def __init__(self, position: Position, code: Code, message: str, fix: str) -> None:
        super().__init__(message)
        self.position, self.code, self.message, self.fix = position, code, message, fix


class Document(Struct, frozen=True):
    """One YAML document: its value, and what is wrong with how it is written."""

    root: Node
    value: Any
    findings: tuple[tuple[Position, Finding], ...]


def documents_of(text: str, public_kinds: frozenset[str]) -> Iterator[Document]:
    """Each document that is not empty, in order; raises Broken where the text cannot be read further.

    Values are quoted in findings only for objects of a public kind: any other one may be a Secret.
    """
    if len(text) > _SAFE_TO_RECURSE:
        _look_through(text)
    composer = _Composer(text)
    try:
        while composer.check_node():
            if (root := composer.get_node()) is None:
                return
            if "*" in text:
                _refuse_explosion(root)
            if not _is_empty(root):
                yield _DocumentReader(root, public_kinds).document()
    except YAMLError as error:
        raise _broken(error) from None


class _Composer(CParser):
    """Nodes with their explicit tags only: what a plain scalar means is decided in `scalars`."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        return None

    def descend_resolver(self, parent: Any, index: Any) -> None:
        return None

    def ascend_resolver(self) -> None:
        return None


class _DocumentReader:
    """Builds the value of one document, and notes what it stumbles over."""

    def __init__(self, root: Node, public_kinds: frozenset[str]) -> None:
        self._root = root
        self._public_kinds = public_kinds
        self._noted: list[tuple[Node, Code, str, str]] = []
        """Each with its fix; empty where that depends on the place."""

    def document(self) -> Document:
        value = self._value(self._root, 0)
        if not self._noted:
            return Document(self._root, value, ())
        positions = Positions(self._root)
        found = []
        for node, code, message, fix in self._noted[:MOST_FINDINGS]:
            pointer = positions.pointer_to(node)
            said = fix or how_to_write(node.value, wanted=_wanted(pointer))
            found.append((position_of(node), Finding(pointer, code, message, said)))
        return Document(self._root, value, tuple(found))

    def _value(self, node: Node, depth: int) -> Any:
        if node.tag is not None:
            self._note_tag(node)
        if node.__class__ is ScalarNode:
            text: str = node.value
            if not node.style and (text in SPECIAL or text[0] in NUMERIC):
                return self._plain(node)
            return text
        if depth >= DEEPEST:
            raise _too_deep(position_of(node))
        if node.__class__ is MappingNode:
            return self._mapping(node, depth + 1)
        return [self._value(item, depth + 1) for item in node.value]

    def _mapping(self, node: Node, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if key_node.__class__ is not ScalarNode:
                self._note(
                    key_node, Code.KEY_NOT_TEXT, "a key is a text, not a list or an object", "write `key: value`"
                )
                continue
            if key_node.tag is not None:
                self._note_tag(key_node)
            if not key_node.style and (key in SPECIAL or key[0] in NUMERIC):
                self._check_key(key_node)
            if key in result:
                message = f"the key {quoted(key)} is given twice"
                self._note(key_node, Code.DUPLICATE_KEY, message, "keep one of the two")
            mode = self._file_mode(value_node) if key in FILE_MODES else None
            result[key] = self._value(value_node, depth) if mode is None else mode
        return result

    def _file_mode(self, node: Node) -> int | None:
        plain = node.__class__ is ScalarNode and not node.style and node.tag is None
        return read_file_mode(node.value) if plain else None

    def _plain(self, node: Node) -> Scalar:
        text: str = node.value
        try:
            return read_plain(text)
        except Ambiguous as ambiguous:
            shown = f"`{text[:60]}`" if self._is_public() else "this unquoted value"
            self._note(node, Code.AMBIGUOUS_VALUE, f"{shown} is {ambiguous}", "")
            return text

    def _is_public(self) -> bool:
        pairs = self._root.value if self._root.__class__ is MappingNode else ()
        kinds = [value.value for key, value in pairs if key.value == "kind"]
        return len(kinds) == 1 and isinstance(kinds[0], str) and kinds[0] in self._public_kinds

    def _check_key(self, node: Node) -> None:
        key: str = node.value
        if key == "<<":
            self._note(node, Code.MERGE_KEY, "merge keys (`<<`) are not accepted", "write the fields out here")
            return
        try:
            if isinstance(read_plain(key), str):
                return
        except Ambiguous:
            pass  # told below, as for a number
        message = f"the key {key[:60] or 'that is empty'} is not a text to every YAML reader"
        self._note(node, Code.KEY_NOT_TEXT, message, f"quote it: {quoted(key)}")

    def _note_tag(self, node: Node) -> None:
        fix = "remove the `!…`, or quote the text if `!` is part of it"
        self._note(node, Code.TAG, "YAML tags are not accepted", fix)

    def _note(self, node: Node, code: Code, message: str, fix: str) -> None:
        self._noted.append((node, code, message, fix))


def _wanted(pointer: Pointer) -> str:
    """What can only be a text, and what permission bits; empty where it may be anything."""
    if pointer[:1] in _TEXTS_OF_DATA or pointer[-2:-1] in _TEXT_MAPS or pointer[-1:] == ("value",):
        return "text"
    return "mode" if pointer and pointer[-1] in FILE_MODES else ""


def _is_empty(root: Node) -> bool:
    return root.__class__ is ScalarNode and not root.style and root.value == ""


def _look_through(text: str) -> None:
    """Refuse what is too deep or too much, in bounded memory, before nodes are made of it."""
    parser = CParser(text)
    depth = values = 0
    try:
        while not isinstance(event := cast(Any, parser.get_event()), StreamEndEvent):
            if isinstance(event, NodeEvent):
                values += 1
                depth += isinstance(event, CollectionStartEvent)
            elif isinstance(event, CollectionEndEvent):
                depth -= 1
            elif isinstance(event, DocumentEndEvent):
                depth = 0
            if depth > DEEPEST or values > MOST_VALUES:
                position = event.start_mark.line + 1, event.start_mark.column + 1
                raise _too_deep(position) if depth > DEEPEST else _too_much(position)
    except YAMLError as error:
        raise _broken(error) from None


def _refuse_explosion(root: Node) -> None:
    """Aliases may repeat a value; what they stand for is bounded. Sizes are added up, nothing is expanded."""
    sizes: dict[int, int] = {}

    def size(node: Node, depth: int) -> int:
        if (known := sizes.get(id(node))) is not None:
            return known
        if node.__class__ is ScalarNode:
            return len(node.value) + 1
        if depth >= DEEPEST:
            raise _too_deep(position_of(node))
        total = 1
        for child in node.value:
            parts = child if node.__class__ is MappingNode else (child,)
            for part in parts:
                total += size(part, depth + 1)
        if total > LARGEST_EXPANSION:
            message = "aliases repeat values until they are too large"
            raise Broken(position_of(node), Code.ALIAS_BOMB, message, "write out what is meant, without aliases")
        sizes[id(node)] = total
        return total

    size(root, 0)


def _too_deep(position: Position) -> Broken:
    return Broken(
        position, Code.TOO_DEEP, f"more than {DEEPEST} levels of nesting", "no manifest needs as many levels"
    )


def _too_much(position: Position) -> Broken:
    return Broken(
        position, Code.TOO_MANY_VALUES, f"more than {MOST_VALUES:,} values in one file", "split the file"
    )


def _broken(error: YAMLError) -> Broken:
    """libyaml's own words: they name a syntax, and at most an alias; that one is left out, as it may be
    the start of an unquoted password."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return Broken((1, 1), Code.SYNTAX, "this is not YAML", "check the file's syntax")
    position = error.problem_mark.line + 1, error.problem_mark.column + 1
    problem = error.problem or "this is not YAML"
    if "alias" in problem or "anchor" in problem:
        fix = "define the anchor once, before its alias; quote a text that starts with `*` or `&`"
        return Broken(position, Code.SYNTAX, "an alias or an anchor that leads nowhere", fix)
    message = f"{error.context}: {problem}" if error.context else problem
    return Broken(position, Code.SYNTAX, message, _syntax_fix(problem))


def _syntax_fix(problem: str) -> str:
    if "cannot start any token" in problem:
        return "indent with spaces, and quote a text that starts with a special character"
    if "mapping values are not allowed" in problem:
        return "quote a text that contains `: `, or check the indentation"
    if "tag" in problem:
        return "quote a text that starts with `!`"
    return "check the indentation and the quotes around here"
