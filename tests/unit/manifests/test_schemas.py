"""The schemas are sound, and agree with the documentation and each other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.kinds import ADMITTED
from reconciler.manifests.codes import Code
from reconciler.manifests.schemas import MARK
from reconciler.model.desired import Desired, Rejected
from tests.good_revision import Load

ROOT = Path(__file__).parents[3]


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
    assert set(manifest["properties"]["kind"]["enum"]) == set(ADMITTED.by_kind)
    assert {rule["then"]["$ref"] for rule in manifest["allOf"]} == {
        f"{kind.lower()}.json" for kind in ADMITTED.by_kind
    }


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    text = (ROOT / "docs" / "reference" / "problems.md").read_text()
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)) >= set(Code)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("hostNetwork: false", None),
        ("hostUsers: false", "refused-field"),
        ("volumes: []", None),
        ("volumes: [{name: a, csi: {driver: a}}]", "refused-field"),
        ("volumes: [{name: a, awsElasticBlockStore: {volumeID: a}}]", "refused-field"),
        ("volumes: [{name: a, emptyDir: {sizeLimit: 1Gi}}]", "ignored-field"),
        ("volumes: [{name: a, emptyDir: {medium: Memory, sizeLimit: 1Gi}}]", None),
        ("volumes: [{name: a, emptyDir: {medium: HugePages}}]", "refused-field"),
        ("volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: a}}]}}]", "refused-field"),
        ("initContainers: []", None),
        ("ephemeralContainers: []", None),
        ("ephemeralContainers: [{name: a}]", "refused-field"),
        ("resourceClaims: []", None),
        ("resourceClaims: [{name: a}]", "refused-field"),
        ("schedulingGates: []", None),
        ("schedulingGates: [{name: a}]", "refused-field"),
        ("affinity: {}", None),
        ("affinity: {nodeAffinity: {}}", "refused-field"),
        ("topologySpreadConstraints: []", None),
        ("topologySpreadConstraints: [{maxSkew: 1}]", "refused-field"),
        ("priorityClassName: ''", None),
        ("priorityClassName: high", "refused-field"),
        ("securityContext: {}", None),
        ("securityContext: {runAsUser: 1}", None),
        ("securityContext: {seLinuxOptions: {}}", None),
        ("securityContext: {seLinuxOptions: {level: s0}}", "refused-field"),
        ("securityContext: {windowsOptions: {}}", "refused-field"),
        ("securityContext: {fsGroupChangePolicy: Always}", "ignored-field"),
        ("securityContext: {seccompProfile: {type: Localhost, localhostProfile: a}}", "refused-field"),
        ("securityContext: {appArmorProfile: {type: RuntimeDefault}}", None),
        ("securityContext: {appArmorProfile: {type: Unconfined}}", "refused-field"),
        ("dnsPolicy: ClusterFirst", None),
        ("serviceAccountName: default", "ignored-field"),
        ("schedulerName: default-scheduler", "ignored-field"),
        ("enableServiceLinks: true", "ignored-field"),
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
        ("securityContext: {privileged: false}", None),
        ("securityContext: {procMount: Unmasked}", "refused-field"),
        ("securityContext: {procMount: Default}", None),
        ("volumeDevices: []", None),
        ("volumeDevices: [{name: a}]", "refused-field"),
        ("lifecycle: {}", None),
        ("lifecycle: {preStop: {tcpSocket: {port: 80}}}", "refused-field"),
        ("readinessProbe: {httpGet: {path: /, port: 80}}", None),
        ("livenessProbe: {grpc: {port: 80, mode: TLS}}", "refused-field"),
        ("restartPolicy: OnFailure", "refused-field"),
        ("restartPolicyRules: []", None),
        ("restartPolicyRules: [{action: Restart}]", "refused-field"),
        ("terminationMessagePath: /dev/termination-log", "ignored-field"),
    ],
)
def test_a_field_of_a_container_is_supported_warned_about_or_refused(changed: Load, line: str, code: str) -> None:
    result = changed("web.yaml", "          image: web:1\n", f"          image: web:1\n          {line}\n")
    problems = result.problems if isinstance(result, Rejected) else result.warnings
    assert [problem.code for problem in problems] == ([code] if code else [])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("loadBalancerIP: ''", None),
        ("loadBalancerIP: 192.0.2.1", "refused-field"),
        ("loadBalancerClass: reconciler.dev/edge", None),
        ("loadBalancerClass: service.k8s.aws/nlb", "refused-field"),
        ("healthCheckNodePort: 30099", "refused-field"),
        ("trafficDistribution: PreferClose", "ignored-field"),
        ("clusterIPs: [10.96.0.9]", "ignored-field"),
    ],
)
def test_a_field_of_a_service_is_supported_warned_about_or_refused(changed: Load, line: str, code: str) -> None:
    result = changed("web-service.yaml", "  selector", f"  type: LoadBalancer\n  {line}\n  selector")
    problems = result.problems if isinstance(result, Rejected) else result.warnings
    assert [problem.code for problem in problems] == ([code] if code else [])
    assert isinstance(result, Rejected) == (code == "refused-field")


def test_what_an_api_server_wrote_is_a_warning(changed: Load) -> None:
    written = "name: web\n  uid: abc\n  resourceVersion: '1'\n  creationTimestamp: null\n  generation: 1"
    result = changed("web.yaml", "name: web", written)
    assert isinstance(result, Desired)
    assert {problem.code for problem in result.warnings} == {"ignored-field"}
    assert len(result.warnings) == 4
