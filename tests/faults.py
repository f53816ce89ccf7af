"""Writes tests/faults.md: every fault and security rule of faults.toml, and the tests whose marks name it.

A test says with `@pytest.mark.fault(41)` or `@pytest.mark.rule(7)` what it proves. Run `python -m tests.faults`
after a change of marks; tests/unit/docs/test_faults.py compares.
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

TESTS: Final = Path(__file__).parent
PAGE: Final = TESTS / "faults.md"
KINDS: Final = ("fault", "rule")
HEAD: Final = """\
# Faults, rules, and the tests that prove them

What may go wrong, what must follow, and which tests show that it does. Written by `python -m tests.faults` from
[faults.toml](faults.toml) and the marks of the tests (`@pytest.mark.fault(41)`, `@pytest.mark.rule(7)`): do not
edit it.
"""

Proofs = Mapping[tuple[str, int], list[str]]
"""A mark and its number -> the tests that have it, as `file::test`."""


def said() -> dict[str, Any]:
    return tomllib.loads((TESTS / "faults.toml").read_text())


def proofs() -> Proofs:
    """Of all tests, in the order of their files."""
    found: dict[tuple[str, int], list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        name = path.relative_to(TESTS).as_posix()
        for test, mark, number in marks_in(path.read_text(), name):
            tests = found.setdefault((mark, number), [])
            if f"{name}::{test}" not in tests:
                tests.append(f"{name}::{test}")
    return found


def marks_in(source: str, name: str) -> Iterator[tuple[str, str, int]]:
    """Test, mark and number, for every mark of a function that is a test.

    A mark elsewhere (of a module, in a variable) would not be seen as one test's: it is an error, as is a mark
    whose arguments are not numbers written out.
    """
    tree = ast.parse(source)
    seen = 0
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test_"):
            for decorator in function.decorator_list:
                for mark, numbers in _marks(decorator, name):
                    seen += 1
                    for number in numbers:
                        yield function.name, mark, number
    if seen != sum(1 for _ in _marks(tree, name)):
        raise ValueError(f"tests/{name}: marks of faults and rules stand above a test function")


def _marks(tree: ast.AST, name: str) -> Iterator[tuple[str, list[int]]]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KINDS):
            continue
        if ast.unparse(node.func.value) == "pytest.mark":
            numbers = [each.value for each in node.args if isinstance(each, ast.Constant)]
            if not numbers or len(numbers) != len(node.args) or not all(isinstance(each, int) for each in numbers):
                raise ValueError(f"tests/{name}:{node.lineno}: write the numbers out: @pytest.mark.fault(41)")
            yield node.func.attr, [int(each) for each in numbers if isinstance(each, int)]


def page() -> str:
    text, tests = said(), proofs()
    lines = [HEAD, "\n## Faults\n"]
    for theme, faults in text["faults"].items():
        lines += [f"\n### {theme}\n\n| | what happens | what must follow | tests |\n|---|---|---|---|\n"]
        for number, (happens, follows) in faults.items():
            shown = _tests(tests, "fault", int(number), text)
            lines.append(f"| {number} | {happens} | {follows} | {shown} |\n")
    lines.append("\n## Security rules\n\n| | rule | tests |\n|---|---|---|\n")
    for number, rule in text["rules"].items():
        lines.append(f"| {number} | {rule} | {_tests(tests, 'rule', int(number), text)} |\n")
    return "".join(lines)


def _tests(tests: Proofs, mark: str, number: int, text: Mapping[str, Any]) -> str:
    found = tests.get((mark, number))
    if found:
        return "<br>".join(f"[{each.split('::test_')[1]}]({each.split('::')[0]})" for each in found)
    excuse = text["excused" if mark == "fault" else "excused_rules"].get(str(number))
    return excuse or "**none yet**"


if __name__ == "__main__":
    PAGE.write_text(page())
