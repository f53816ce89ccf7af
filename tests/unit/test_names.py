"""A name stands for one thing in the whole source, and what is said of it can stand alone."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "reconciler"
FRAGMENT = re.compile(r"(Those|Of|By|From|With|As|To be|On a) ")
"""How the docstring begins that is understood only beside what it is of."""
CAMEL_CASE = re.compile(r"_?[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")


def test_no_two_types_have_one_name() -> None:
    assert {name: places for name, places in _types().items() if len(places) > 1} == {}


def test_what_is_said_of_something_public_is_no_rest_of_a_sentence() -> None:
    assert [f"{place}: {text}" for place, text in _said() if FRAGMENT.match(text)] == []


def _said() -> Iterator[tuple[str, str]]:
    """Each docstring of what is public, with its place; those of commands are their help."""
    for module in sorted(SOURCE.rglob("*.py")):
        if "cli" not in module.relative_to(SOURCE).parts:
            yield from _said_in(ast.parse(module.read_text()).body, str(module.relative_to(SOURCE)))


def _said_in(body: Sequence[ast.stmt], place: str) -> Iterator[tuple[str, str]]:
    for node, following in zip_longest(body, body[1:]):
        match node, following:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef(), _ if not node.name.startswith("_"):
                yield f"{place}: {node.name}", ast.get_docstring(node) or ""
                if isinstance(node, ast.ClassDef):
                    yield from _said_in(node.body, f"{place}: {node.name}")
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(ast.Constant(str(text))),
            ) if not name.startswith("_"):
                yield f"{place}: {name}", text


def _types() -> Mapping[str, Sequence[str]]:
    """Where each class, and each alias of a type, is defined."""
    found = defaultdict(list)
    for module in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(module.read_text())
        for name in (*_classes(tree), *_aliases(tree)):
            found[name].append(str(module.relative_to(SOURCE)))
    return found


def _classes(tree: ast.Module) -> Iterator[str]:
    return (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _aliases(tree: ast.Module) -> Iterator[str]:
    """The names in CamelCase that a module gives to something, but for type variables."""
    for node in tree.body:
        match node:
            case (
                ast.AnnAssign(target=ast.Name(id=name), value=value)
                | ast.Assign(targets=[ast.Name(id=name)], value=value)
            ) if CAMEL_CASE.fullmatch(name) and not _is_variable(value):
                yield name


def _is_variable(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) in ("TypeVar", "ParamSpec")
