"""Every kind's room is complete, and no engine knows a kind by itself."""

import ast
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.kinds import ADMITTED, KINDS, Kind
from reconciler.kinds.unsupported import INSTEAD

ROOT = Path(__file__).parents[2]
ENGINES = [
    *(ROOT / "reconciler/manifests").glob("*.py"),
    *(ROOT / "reconciler/manifests/reading").glob("*.py"),
    ROOT / "reconciler/manifests/annotations/placement.py",
    ROOT / "reconciler/manifests/across/index.py",
]
"""What is the same for every kind of manifest."""
KNOWN_BY_NATURE: Mapping[str, frozenset[str]] = {
    "planning": frozenset({"Pod"}),
    "planning/controllers": frozenset({"Service", "EndpointSlice", "PersistentVolumeClaim"}),
    "planning/incremental": frozenset(
        {"Service", "EndpointSlice", "Ingress", "NetworkPolicy", "PersistentVolumeClaim", "Node"}
    ),
    "planning/kubelet": frozenset({"ConfigMap", "Secret", "PersistentVolumeClaim"}),
    "planning/state": frozenset({"Node", "PersistentVolumeClaim"}),
    "planning/scheduling": frozenset({"Node"}),
    "planning/status": frozenset({"Node"}),
    "control": frozenset({"Cluster", "Node", "Pod"}),
}
"""The kinds that a folder knows by what it does, and all that is below it; any other is asked by its facets.

Planning decides about pods and follows them to their nodes; who answers for a Service says which pods are ready; a
pod's containers are made with what its volumes and variables name; and the loop has a session for each Node.
"""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names.kind)
def test_a_kind_is_named_as_its_type_and_has_a_schema_of_its_version(kind: Kind[Any]) -> None:
    if kind.admission is None:
        return
    assert kind.names.kind == kind.type.__name__
    schema = json.loads((ROOT / "schemas" / f"{kind.names.singular}.json").read_text())
    assert schema["properties"]["apiVersion"]["const"] == kind.names.api_version
    assert schema["properties"]["kind"]["const"] == kind.names.kind


def test_no_two_kinds_share_a_name() -> None:
    assert [name for name, times in Counter(kind.names.kind for kind in KINDS).items() if times > 1] == []
    aliases = Counter(alias for kind in KINDS for alias in dict.fromkeys(kind.names.aliases))
    assert [alias for alias, times in aliases.items() if times > 1] == []


def test_nobody_is_told_to_write_something_else_than_a_kind_that_is_read_here() -> None:
    assert INSTEAD.keys().isdisjoint(ADMITTED.by_kind)


@pytest.mark.parametrize("module", ENGINES, ids=lambda module: module.stem)
def test_an_engine_names_no_kind(module: Path) -> None:
    assert sorted({kind.names.kind for kind in KINDS}.intersection(_words(module))) == []


@pytest.mark.parametrize("engine", ["planning", "control"])
def test_an_engine_knows_a_kind_by_its_nature_or_not_at_all(engine: str) -> None:
    kinds = {kind.type.__name__ for kind in KINDS}
    found = {
        f"{module.relative_to(ROOT / 'reconciler')}: {name}"
        for module in sorted((ROOT / "reconciler" / engine).rglob("*.py"))
        for name in kinds.intersection(_api_types(module)) - _known_in(module)
    }
    assert found == set()


def _known_in(module: Path) -> frozenset[str]:
    folders = (str(folder) for folder in module.relative_to(ROOT / "reconciler").parents)
    return frozenset().union(*(KNOWN_BY_NATURE.get(folder, frozenset()) for folder in folders))


def _api_types(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reconciler.model.api."):
            yield from (alias.name for alias in node.names)


def _words(module: Path) -> Iterator[str]:
    """Every name that is imported, and every text that is nothing but one word."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("reconciler."):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
