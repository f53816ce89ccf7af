"""A name stands for one thing in the whole source."""

import ast
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "reconciler"


def test_no_two_types_have_one_name() -> None:
    assert {name: places for name, places in _types().items() if len(places) > 1} == {}


def _types() -> Mapping[str, Sequence[str]]:
    """Where each class, and each alias of a type, is defined."""
    found = defaultdict(list)
    for module in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text())):
            if name := _type_name(node):
                found[name].append(str(module.relative_to(SOURCE)))
    return found


def _type_name(node: ast.AST) -> str:
    match node:
        case ast.ClassDef(name=name):
            return name
        case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
            return name
    return ""
