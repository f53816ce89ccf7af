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
from reconciler.model import cluster, ingress, objects, pod_sources, pods, policies, services
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
ENV = (*CONTAINER, "env", "[]", "valueFrom")
VOLUME = (*TEMPLATE, "volumes", "[]")
SOURCE = (*VOLUME, "projected", "sources", "[]")
PROBE = (*CONTAINER, "livenessProbe")
RULE = ("spec", "rules", "[]")
BACKEND = (*RULE, "http", "paths", "[]", "backend")


@pytest.mark.parametrize(
    ("kind", "path", "struct", "without_type"),
    [
        ("Cluster", ("spec",), cluster.ClusterSpec, set()),
        ("Cluster", ("spec", "images"), cluster.ClusterImages, set()),
        ("Cluster", ("spec", "ssh"), cluster.SshDefaults, set()),
        ("Cluster", ("spec", "sync"), cluster.Sync, set()),
        ("Cluster", ("spec", "guard"), cluster.Guard, set()),
        ("Cluster", ("spec", "nodes"), cluster.NodeLifecycle, set()),
        ("Node", ("spec",), objects.NodeSpec, set()),
        ("Node", ("spec", "taints", "[]"), objects.Taint, set()),
        ("Pod", ("metadata",), objects.ObjectMeta, set()),
        ("Cluster", ("spec", "podSecurity"), cluster.PodSecurity, set()),
        ("Cluster", ("spec", "podSecurity", "hostPaths", "[]"), cluster.HostPathRule, set()),
        ("Cluster", ("spec", "podLimits"), cluster.PodLimits, set()),
        ("Cluster", ("spec", "imageGC"), cluster.ImageGc, set()),
        ("Cluster", ("spec", "network"), cluster.ClusterNetwork, set()),
        ("Cluster", ("spec", "network", "externalIPs", "[]"), cluster.ExternalIpRule, set()),
        ("Pod", ("spec",), pods.PodSpec, {"os"}),
        ("Deployment", ("spec",), objects.DeploymentSpec, set()),
        ("Deployment", ("spec", "selector"), objects.LabelSelector, set()),
        ("Deployment", ("spec", "strategy"), objects.Strategy, set()),
        ("Deployment", ("spec", "strategy", "rollingUpdate"), objects.RollingUpdate, set()),
        ("Deployment", ("spec", "template"), objects.PodTemplate, set()),
        ("Deployment", ("spec", "template", "metadata"), objects.TemplateMeta, set()),
        ("Deployment", TEMPLATE, pods.PodSpec, {"os"}),
        ("Deployment", CONTAINER, pods.Container, set()),
        ("Deployment", (*TEMPLATE, "initContainers", "[]"), pods.Container, set()),
        ("Deployment", (*CONTAINER, "ports", "[]"), pods.ContainerPort, set()),
        ("Deployment", (*CONTAINER, "resources"), pods.Resources, set()),
        ("Deployment", (*CONTAINER, "env", "[]"), pod_sources.EnvVar, set()),
        ("Deployment", ENV, pod_sources.EnvSource, set()),
        ("Deployment", (*ENV, "secretKeyRef"), pod_sources.KeySelector, set()),
        ("Deployment", (*ENV, "fieldRef"), pod_sources.FieldSelector, {"apiVersion"}),
        ("Deployment", (*ENV, "resourceFieldRef"), pod_sources.ResourceFieldSelector, set()),
        ("Deployment", (*CONTAINER, "envFrom", "[]"), pod_sources.EnvFrom, set()),
        ("Deployment", (*CONTAINER, "envFrom", "[]", "secretRef"), pod_sources.EnvFromRef, set()),
        ("Deployment", PROBE, pods.Probe, set()),
        ("Deployment", (*PROBE, "exec"), pods.ExecAction, set()),
        ("Deployment", (*PROBE, "httpGet"), pods.HttpGetAction, set()),
        ("Deployment", (*PROBE, "httpGet", "httpHeaders", "[]"), pods.HttpHeader, set()),
        ("Deployment", (*PROBE, "tcpSocket"), pods.TcpSocketAction, set()),
        ("Deployment", (*PROBE, "grpc"), pods.GrpcAction, set()),
        ("Deployment", (*CONTAINER, "readinessProbe"), pods.Probe, set()),
        ("Deployment", (*CONTAINER, "startupProbe"), pods.Probe, set()),
        ("Deployment", (*CONTAINER, "lifecycle"), pods.Lifecycle, set()),
        ("Deployment", (*CONTAINER, "lifecycle", "preStop"), pods.Handler, set()),
        ("Deployment", (*CONTAINER, "lifecycle", "preStop", "sleep"), pods.SleepAction, set()),
        ("Deployment", (*CONTAINER, "volumeMounts", "[]"), pod_sources.VolumeMount, set()),
        ("Deployment", (*CONTAINER, "securityContext"), pods.SecurityContext, {"appArmorProfile"}),
        ("Deployment", (*CONTAINER, "securityContext", "capabilities"), pods.Capabilities, set()),
        ("Deployment", (*CONTAINER, "securityContext", "seccompProfile"), pods.SeccompProfile, set()),
        ("Deployment", (*TEMPLATE, "securityContext"), pods.PodSecurityContext, {"appArmorProfile"}),
        ("Deployment", (*TEMPLATE, "securityContext", "sysctls", "[]"), pods.Sysctl, set()),
        ("Deployment", VOLUME, pod_sources.Volume, set()),
        ("Deployment", (*VOLUME, "configMap"), pod_sources.ConfigMapVolume, set()),
        ("Deployment", (*VOLUME, "configMap", "items", "[]"), pod_sources.KeyToPath, set()),
        ("Deployment", (*VOLUME, "secret"), pod_sources.SecretVolume, set()),
        ("Deployment", (*VOLUME, "downwardAPI"), pod_sources.DownwardVolume, set()),
        ("Deployment", (*VOLUME, "downwardAPI", "items", "[]"), pod_sources.DownwardItem, set()),
        (
            "Deployment",
            (*VOLUME, "downwardAPI", "items", "[]", "fieldRef"),
            pod_sources.FieldSelector,
            {"apiVersion"},
        ),
        (
            "Deployment",
            (*VOLUME, "downwardAPI", "items", "[]", "resourceFieldRef"),
            pod_sources.ResourceFieldSelector,
            set(),
        ),
        ("Deployment", (*VOLUME, "projected"), pod_sources.ProjectedVolume, set()),
        ("Deployment", SOURCE, pod_sources.Projection, set()),
        ("Deployment", (*SOURCE, "configMap"), pod_sources.ConfigMapProjection, set()),
        ("Deployment", (*SOURCE, "secret"), pod_sources.SecretProjection, set()),
        ("Deployment", (*SOURCE, "downwardAPI"), pod_sources.DownwardProjection, set()),
        ("Deployment", (*VOLUME, "emptyDir"), pod_sources.EmptyDirVolume, set()),
        ("Deployment", (*VOLUME, "hostPath"), pod_sources.HostPathVolume, set()),
        ("Deployment", (*VOLUME, "persistentVolumeClaim"), pod_sources.ClaimVolume, set()),
        ("Deployment", (*VOLUME, "nfs"), pod_sources.NfsVolume, set()),
        ("Deployment", (*TEMPLATE, "hostAliases", "[]"), pods.HostAlias, set()),
        ("Deployment", (*TEMPLATE, "dnsConfig"), pods.DnsConfig, set()),
        ("Deployment", (*TEMPLATE, "dnsConfig", "options", "[]"), pods.DnsOption, set()),
        ("Deployment", (*TEMPLATE, "imagePullSecrets", "[]"), pods.LocalName, set()),
        ("Deployment", (*TEMPLATE, "readinessGates", "[]"), pods.ReadinessGate, set()),
        ("Deployment", (*TEMPLATE, "tolerations", "[]"), pods.Toleration, set()),
        ("Service", ("spec",), objects.ServiceSpec, set()),
        ("Service", ("spec", "ports", "[]"), objects.ServicePort, set()),
        ("Service", ("spec", "sessionAffinityConfig"), services.SessionAffinityConfig, set()),
        ("Service", ("spec", "sessionAffinityConfig", "clientIP"), services.ClientIpConfig, set()),
        ("EndpointSlice", (), objects.EndpointSlice, {"apiVersion", "kind"}),
        ("EndpointSlice", ("endpoints", "[]"), services.SliceEndpoint, set()),
        ("EndpointSlice", ("endpoints", "[]", "conditions"), services.EndpointConditions, set()),
        ("EndpointSlice", ("ports", "[]"), services.SlicePort, set()),
        ("NetworkPolicy", (), objects.NetworkPolicy, {"apiVersion", "kind"}),
        ("NetworkPolicy", ("spec",), policies.NetworkPolicySpec, set()),
        ("NetworkPolicy", ("spec", "podSelector"), policies.PeerSelector, set()),
        ("NetworkPolicy", ("spec", "podSelector", "matchExpressions", "[]"), policies.Requirement, set()),
        ("NetworkPolicy", ("spec", "ingress", "[]"), policies.IngressRule, set()),
        ("NetworkPolicy", ("spec", "ingress", "[]", "from", "[]"), policies.PolicyPeer, set()),
        ("NetworkPolicy", ("spec", "ingress", "[]", "from", "[]", "ipBlock"), policies.IpBlock, set()),
        ("NetworkPolicy", ("spec", "egress", "[]"), policies.EgressRule, set()),
        ("NetworkPolicy", ("spec", "egress", "[]", "ports", "[]"), policies.PolicyPort, set()),
        ("Ingress", ("spec",), ingress.IngressSpec, set()),
        ("Ingress", ("spec", "defaultBackend"), ingress.IngressBackend, set()),
        ("Ingress", RULE, ingress.IngressRule, set()),
        ("Ingress", (*RULE, "http"), ingress.HttpIngressRuleValue, set()),
        ("Ingress", (*RULE, "http", "paths", "[]"), ingress.HttpIngressPath, set()),
        ("Ingress", BACKEND, ingress.IngressBackend, set()),
        ("Ingress", (*BACKEND, "service"), ingress.IngressServiceBackend, set()),
        ("Ingress", (*BACKEND, "service", "port"), ingress.ServiceBackendPort, set()),
        ("Ingress", ("spec", "tls", "[]"), ingress.IngressTls, set()),
        ("ConfigMap", (), objects.ConfigMap, {"apiVersion", "kind"}),
        ("PersistentVolumeClaim", (), objects.PersistentVolumeClaim, {"apiVersion", "kind"}),
        ("PersistentVolumeClaim", ("spec",), objects.ClaimSpec, set()),
    ],
)
def test_a_field_is_supported_exactly_where_a_type_has_it(
    kind: str, path: tuple[str, ...], struct: type[Struct], without_type: set[str]
) -> None:
    assert set(supported(SCHEMAS[kind], *path)) - without_type == {field.encode_name for field in fields(struct)}


def test_a_secret_holds_what_its_type_has_but_for_how_it_is_encoded() -> None:
    known = set(supported(SCHEMAS["Secret"])) - {"apiVersion", "kind", "stringData"}
    assert known == {field.encode_name for field in fields(objects.Secret)} - {"binaryData"}


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
