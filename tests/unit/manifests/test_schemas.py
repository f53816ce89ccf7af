"""The schemas are complete, and agree with the types, the documentation and each other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec import Struct
from msgspec.structs import fields

from reconciler.manifests.codes import Code
from reconciler.manifests.schemas import KINDS, MARK, load_schemas
from reconciler.model import objects, pods
from reconciler.model.desired import Desired, Rejected
from tests.unit.manifests.conftest import Load

ROOT = Path(__file__).parents[3]
SCHEMAS = {kind: compiled.schema for kind, compiled in load_schemas().items()}


def resolved(root: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def supported(root: dict[str, Any], *path: str) -> dict[str, Any]:
    """The fields at a path that change something."""
    schema = root
    for step in path:
        schema = resolved(root, schema)
        schema = resolved(root, schema["items"] if step == "[]" else schema["properties"][step])
    return {name: field for name, field in schema["properties"].items() if MARK not in resolved(root, field)}


TEMPLATE = ("spec", "template", "spec")
CONTAINER = (*TEMPLATE, "containers", "[]")


@pytest.mark.parametrize(
    ("kind", "path", "struct", "without_type"),
    [
        ("Cluster", ("spec",), objects.ClusterSpec, set()),
        ("Cluster", ("spec", "images"), objects.ClusterImages, set()),
        ("Cluster", ("spec", "ssh"), objects.SshDefaults, set()),
        ("Cluster", ("spec", "sync"), objects.Sync, set()),
        ("Cluster", ("spec", "guard"), objects.Guard, set()),
        ("Cluster", ("spec", "nodes"), objects.NodeLifecycle, set()),
        ("Node", ("spec",), objects.NodeSpec, set()),
        ("Node", ("spec", "taints", "[]"), objects.Taint, set()),
        ("Pod", ("metadata",), objects.ObjectMeta, set()),
        ("Pod", ("spec",), pods.PodSpec, {"os", "securityContext"}),
        ("Deployment", ("spec",), objects.DeploymentSpec, set()),
        ("Deployment", ("spec", "selector"), objects.LabelSelector, set()),
        ("Deployment", ("spec", "strategy"), objects.Strategy, set()),
        ("Deployment", ("spec", "strategy", "rollingUpdate"), objects.RollingUpdate, set()),
        ("Deployment", ("spec", "template"), objects.PodTemplate, set()),
        ("Deployment", ("spec", "template", "metadata"), objects.TemplateMeta, set()),
        ("Deployment", TEMPLATE, pods.PodSpec, {"os", "securityContext"}),
        ("Deployment", CONTAINER, pods.Container, {"securityContext"}),
        ("Deployment", (*CONTAINER, "ports", "[]"), pods.ContainerPort, set()),
        ("Deployment", (*CONTAINER, "resources"), pods.Resources, set()),
        ("Deployment", (*CONTAINER, "env", "[]"), pods.EnvVar, set()),
        ("Deployment", (*CONTAINER, "env", "[]", "valueFrom"), pods.EnvSource, set()),
        ("Deployment", (*CONTAINER, "env", "[]", "valueFrom", "secretKeyRef"), pods.KeySelector, set()),
        ("Deployment", (*CONTAINER, "env", "[]", "valueFrom", "fieldRef"), pods.FieldSelector, {"apiVersion"}),
        ("Deployment", (*CONTAINER, "envFrom", "[]"), pods.EnvFrom, set()),
        ("Deployment", (*CONTAINER, "envFrom", "[]", "secretRef"), pods.EnvFromRef, set()),
        ("Deployment", (*TEMPLATE, "tolerations", "[]"), pods.Toleration, set()),
        ("Service", ("spec",), objects.ServiceSpec, set()),
        ("Service", ("spec", "ports", "[]"), objects.ServicePort, set()),
        ("ConfigMap", (), objects.ConfigMap, {"apiVersion", "kind"}),
        ("Secret", (), objects.Secret, {"apiVersion", "kind", "stringData"}),
    ],
)
def test_a_field_is_supported_exactly_where_a_type_has_it(
    kind: str, path: tuple[str, ...], struct: type[Struct], without_type: set[str]
) -> None:
    assert set(supported(SCHEMAS[kind], *path)) - without_type == {field.encode_name for field in fields(struct)}


def every_part(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from every_part(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from every_part(inner)


@pytest.mark.parametrize("path", sorted((ROOT / "schemas").glob("*.json")), ids=lambda path: path.name)
def test_a_schema_is_sound(path: Path) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    for part in every_part(schema):
        if isinstance(reference := part.get("$ref"), str):
            file = reference.partition("#")[0]
            assert not file or (path.parent / file).is_file(), "references stay in this folder"
        if part.get(MARK) in ("warn", "refuse"):
            assert part["description"], "the reason is told"
        if isinstance(pattern := part.get("pattern"), str):
            assert pattern.startswith("^")
            assert pattern.endswith("$")
            assert re.compile(pattern)
            assert part["patternErrorMessage"]
            assert "maxLength" in part or pattern == r"^[^\u0000]*$", "a pattern is only run on short texts"


def test_every_kind_has_a_schema_and_editors_find_it() -> None:
    manifest = json.loads((ROOT / "schemas" / "manifest.json").read_text())
    assert manifest["properties"]["kind"]["enum"] == list(KINDS)
    assert {rule["then"]["$ref"] for rule in manifest["allOf"]} == {f"{kind.lower()}.json" for kind in KINDS}


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    text = (ROOT / "docs" / "reference" / "problems.md").read_text()
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)) >= set(Code)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("hostNetwork: true", "refused-field"),
        ("hostNetwork: false", None),
        ("hostPID: true", "refused-field"),
        ("hostIPC: true", "refused-field"),
        ("volumes: []", "refused-field"),
        ("volumes: [{name: a, hostPath: {path: /}}]", "refused-field"),
        ("initContainers: []", "refused-field"),
        ("affinity: {}", "refused-field"),
        ("topologySpreadConstraints: []", "refused-field"),
        ("securityContext: {}", None),
        ("securityContext: {runAsUser: 1}", "refused-field"),
        ("dnsPolicy: ClusterFirst", "ignored-field"),
        ("serviceAccountName: default", "ignored-field"),
        ("schedulerName: default-scheduler", "ignored-field"),
        ("enableServiceLinks: true", "ignored-field"),
        ("imagePullSecrets: [{name: a}]", "ignored-field"),
    ],
)
def test_a_field_of_upstream_is_supported_warned_about_or_refused(changed: Load, line: str, code: str) -> None:
    result = changed("web.yaml", "    spec:\n", f"    spec:\n      {line}\n")
    problems = result.problems if isinstance(result, Rejected) else result.warnings
    assert [problem.code for problem in problems][:1] == ([code] if code else [])
    assert isinstance(result, Rejected) == (code == "refused-field")
    assert all(problem.place.line == 15 for problem in problems)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("securityContext: {privileged: true}", "refused-field"),
        ("securityContext: {privileged: false}", None),
        ("volumeMounts: [{name: a, mountPath: /var/run/docker.sock}]", "refused-field"),
        ("lifecycle: {}", "refused-field"),
        ("readinessProbe: {httpGet: {path: /, port: 80}}", "ignored-field"),
        ("livenessProbe: {}", "ignored-field"),
        ("terminationMessagePath: /dev/termination-log", "ignored-field"),
    ],
)
def test_a_field_of_a_container_is_supported_warned_about_or_refused(changed: Load, line: str, code: str) -> None:
    result = changed("web.yaml", "          image: web:1\n", f"          image: web:1\n          {line}\n")
    problems = result.problems if isinstance(result, Rejected) else result.warnings
    assert [problem.code for problem in problems] == ([code] if code else [])


@pytest.mark.parametrize("kind", ["LoadBalancer", "ExternalName"])
def test_a_type_of_service_that_cannot_be_had_is_refused_with_the_reason(changed: Load, kind: str) -> None:
    (problem,) = changed("web-service.yaml", "  selector", f"  type: {kind}\n  selector").problems
    assert problem.code == "refused-field"
    assert problem.pointer == "/spec/type"


def test_what_an_api_server_wrote_is_a_warning(changed: Load) -> None:
    written = "name: web\n  uid: abc\n  resourceVersion: '1'\n  creationTimestamp: null\n  generation: 1"
    result = changed("web.yaml", "name: web", written)
    assert isinstance(result, Desired)
    assert {problem.code for problem in result.warnings} == {"ignored-field"}
    assert len(result.warnings) == 4
