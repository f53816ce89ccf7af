"""A name stands for one thing in the whole source."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "reconciler"
CAMEL_CASE = re.compile(r"_?[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")


def test_no_two_types_have_one_name() -> None:
    assert {name: places for name, places in _types().items() if len(places) > 1} == {}


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
