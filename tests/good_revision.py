"""A revision that is right, for tests that make one thing in it wrong."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.desired import Desired, Rejected, Revision, SourceFile, SourceSnapshot
from reconciler.model.names import Ref

Load = Callable[..., Any]
"""Desired or Rejected: each test knows which it wants."""
Faults = Callable[[Desired | Rejected], list[str]]
SnapshotOf = Callable[[Mapping[str, str | bytes]], SourceSnapshot]

_HERE = Path(__file__).parent
EVERYTHING = "---\n".join(
    path.read_text()
    for path in (_HERE / "unit/manifests/files/everything.yaml", *sorted(_HERE.glob("kinds/*/everything.yaml")))
)
"""Manifests with every field that is supported: those of all kinds together, and those of single kinds."""

GOOD: Mapping[str, str] = {
    "cluster.yaml": """\
        apiVersion: reconciler.dev/v1
        kind: Cluster
        metadata:
          name: lab
        """,
    "node.yaml": """\
        apiVersion: v1
        kind: Node
        metadata:
          name: node-1
          annotations:
            reconciler.dev/ssh: ssh://root@10.0.0.1:22
        """,
    "config.yaml": """\
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: settings
        data:
          MODE: production
        """,
    "secret.yaml": """\
        apiVersion: v1
        kind: Secret
        metadata:
          name: passwords
        data:
          token: czNjcjN0
        stringData:
          user: admin
        """,
    "web.yaml": """\
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: web
        spec:
          replicas: 2
          selector:
            matchLabels:
              app: web
          template:
            metadata:
              labels:
                app: web
            spec:
              containers:
                - name: web
                  image: web:1
                  ports:
                    - name: http
                      containerPort: 8080
                  envFrom:
                    - configMapRef:
                        name: settings
                  env:
                    - name: TOKEN
                      valueFrom:
                        secretKeyRef:
                          name: passwords
                          key: token
                  resources:
                    requests:
                      cpu: 100m
                    limits:
                      cpu: 1
        """,
    "web-service.yaml": """\
        apiVersion: v1
        kind: Service
        metadata:
          name: web
        spec:
          selector:
            app: web
          ports:
            - port: 80
              targetPort: http
        """,
}


def snapshot_of(files: Mapping[str, str | bytes]) -> SourceSnapshot:
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return SourceSnapshot(
        Revision("0" * 40, "test"),
        tuple(
            SourceFile(path, hashlib.sha256(content).hexdigest(), content)
            for path, content in sorted(contents.items())
        ),
    )


def hashes(revision: Desired | Rejected) -> dict[Ref, str]:
    """What makes the pods of each object of a revision what they are."""
    assert isinstance(revision, Desired), revision
    return {ref: template.hash for ref, template in revision.templates.items()}


@pytest.fixture(scope="session")
def good() -> dict[str, str]:
    return {path: dedent(text) for path, text in GOOD.items()}


@pytest.fixture(scope="session")
def loader() -> Loader:
    """One for all tests: what was loaded before makes no difference, which has a test of its own."""
    return Loader(ADMITTED)


@pytest.fixture(scope="session")
def snapshot() -> SnapshotOf:
    return snapshot_of


@pytest.fixture
def load(good: dict[str, str], loader: Loader) -> Load:
    """Load the good revision with files added or replaced; None takes one out."""

    def load(files: Mapping[str, str | bytes | None] | None = None) -> Desired | Rejected:
        wanted = {**good, **(files or {})}
        return loader.load(snapshot_of({path: text for path, text in wanted.items() if text is not None}))

    return load


@pytest.fixture
def changed(good: dict[str, str], load: Load) -> Load:
    """Load the good revision with one text replaced by another in one file."""

    def changed(path: str, old: str, new: str) -> Desired | Rejected:
        assert old in good[path]
        result: Desired | Rejected = load({path: good[path].replace(old, new, 1)})
        return result

    return changed


@pytest.fixture
def faults() -> Faults:
    """`place pointer code` of every problem, in order."""

    def faults(result: Desired | Rejected) -> list[str]:
        problems = result.problems if isinstance(result, Rejected) else result.warnings
        assert all(problem.message for problem in problems)
        assert all(problem.fix for problem in problems), "every problem says how to fix it"
        return [f"{problem.place} {problem.pointer} {problem.code}" for problem in problems]

    return faults
