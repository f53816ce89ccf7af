"""`reconciler diff --base`: what the plan is compared with, also where the base itself is no good."""

import json
from pathlib import Path
from typing import Any

import pygit2
import pytest
from click.testing import CliRunner, Result

from reconciler.cli import cli

CLUSTER = "apiVersion: reconciler.dev/v1\nkind: Cluster\nmetadata:\n  name: c\n"
NODE = (
    "apiVersion: v1\nkind: Node\nmetadata:\n  name: node-1\n"
    "  annotations:\n    reconciler.dev/ssh: ssh://127.0.0.1:1\n"
)
"""It does not answer: the plan is printed all the same."""
GOOD = {"cluster.yaml": CLUSTER, "node.yaml": NODE}


class Checkout:
    """A work tree with a commit on `main`, and whatever else lies in it."""

    def __init__(self, root: Path, manifests: str, committed: dict[str, str]) -> None:
        self.folder = root / "checkout" / manifests
        self._state = root / "state"
        repository = pygit2.init_repository(str(root / "checkout"), initial_head="main")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write(committed)
        repository.index.add_all()
        author = pygit2.Signature("a", "a@example.org")
        commit = repository.create_commit("HEAD", author, author, "first", repository.index.write_tree(), [])
        self.commit = str(commit)

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def diff(self, *words: str) -> Result:
        return CliRunner().invoke(
            cli, ["diff", str(self.folder), "--state", str(self._state), "--base", "main", *words]
        )

    def plan(self) -> tuple[Any, str]:
        told = self.diff("-o", "json")
        return json.loads(told.stdout), told.stderr


def test_a_base_that_is_rejected_does_not_keep_its_repair_from_being_planned(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, "", {**GOOD, "bad.yaml": "apiVersion: v1\nkind: Frob\n---\nkind: [\n"})
    checkout.write({"bad.yaml": "# repaired\n"})
    plan, stderr = checkout.plan()
    assert (plan["objectsCompared"], plan["objects"]) == (False, [])
    assert plan["rejectedBase"] == {
        "revision": {
            "id": checkout.commit,
            "origin": plan["rejectedBase"]["revision"]["origin"],
            "title": "first",
        },
        "errors": 2,
    }
    words = f"objects are not compared: the base, revision {checkout.commit[:8]}, is rejected itself (2 errors)"
    assert f"warning: {words}\n" in stderr
    assert "bad.yaml" not in stderr
    assert f"warning: {words}" in checkout.diff().stdout
    assert words in checkout.diff("-o", "markdown").stdout


@pytest.mark.parametrize("manifests", ["", "deploy"])
def test_against_an_empty_base_everything_is_new(tmp_path: Path, manifests: str) -> None:
    """The first pull request: there was no manifest, or not even the folder of them."""
    checkout = Checkout(tmp_path, manifests, {})
    checkout.write(GOOD)
    plan, stderr = checkout.plan()
    assert [(one["sign"], one["kind"]) for one in plan["objects"]] == [("+", "Cluster"), ("+", "Node")]
    assert (plan["objectsCompared"], plan["rejectedBase"]) == (True, None)
    assert "base" not in stderr


def test_an_accepted_base_is_compared_with(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, "", GOOD)
    checkout.write({"space.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"})
    plan, _ = checkout.plan()
    assert [(one["sign"], one["kind"]) for one in plan["objects"]] == [("+", "Namespace")]
    assert (plan["objectsCompared"], plan["rejectedBase"]) == (True, None)
