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
from reconciler.model.api.apps import (
    DeploymentSpec,
    DeploymentStrategy,
    MatchLabelsSelector,
    RollingUpdateDeployment,
)
from reconciler.model.api.cluster import (
    ClusterImages,
    ClusterNetwork,
    ClusterSpec,
    ExternalIpRule,
    Guard,
    HostPathRule,
    ImageGc,
    NodeLifecycle,
    PodLimits,
    PodSecurity,
    SshDefaults,
    Sync,
)
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.container import (
    Capabilities,
    Container,
    ContainerPort,
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    HTTPHeader,
    Lifecycle,
    LifecycleHandler,
    Probe,
    ResourceRequirements,
    SeccompProfile,
    SecurityContext,
    SleepAction,
    TCPSocketAction,
)
from reconciler.model.api.core.env import (
    EnvFromRef,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    KeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
)
from reconciler.model.api.core.node import NodeSpec, Taint
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim, PersistentVolumeClaimSpec
from reconciler.model.api.core.pod import (
    HostAlias,
    LocalObjectReference,
    PodDNSConfig,
    PodDNSConfigOption,
    PodReadinessGate,
    PodSecurityContext,
    PodSpec,
    PodTemplateSpec,
    Sysctl,
    TemplateMeta,
    Toleration,
)
from reconciler.model.api.core.service import ClientIPConfig, ServicePort, ServiceSpec, SessionAffinityConfig
from reconciler.model.api.core.volume import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretProjection,
    SecretVolumeSource,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from reconciler.model.api.discovery import EndpointConditions, EndpointSlice, SliceEndpoint, SlicePort
from reconciler.model.api.meta import LabelSelector, LabelSelectorRequirement, ObjectMeta
from reconciler.model.api.networking import (
    HTTPIngressPath,
    HTTPIngressRuleValue,
    IngressBackend,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IngressTLS,
    IPBlock,
    NetworkPolicy,
    NetworkPolicyEgressRule,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
    ServiceBackendPort,
)
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
        ("Cluster", ("spec",), ClusterSpec, set()),
        ("Cluster", ("spec", "images"), ClusterImages, set()),
        ("Cluster", ("spec", "ssh"), SshDefaults, set()),
        ("Cluster", ("spec", "sync"), Sync, set()),
        ("Cluster", ("spec", "guard"), Guard, set()),
        ("Cluster", ("spec", "nodes"), NodeLifecycle, set()),
        ("Node", ("spec",), NodeSpec, set()),
        ("Node", ("spec", "taints", "[]"), Taint, set()),
        ("Pod", ("metadata",), ObjectMeta, set()),
        ("Cluster", ("spec", "podSecurity"), PodSecurity, set()),
        ("Cluster", ("spec", "podSecurity", "hostPaths", "[]"), HostPathRule, set()),
        ("Cluster", ("spec", "podLimits"), PodLimits, set()),
        ("Cluster", ("spec", "imageGC"), ImageGc, set()),
        ("Cluster", ("spec", "network"), ClusterNetwork, set()),
        ("Cluster", ("spec", "network", "externalIPs", "[]"), ExternalIpRule, set()),
        ("Pod", ("spec",), PodSpec, {"os"}),
        ("Deployment", ("spec",), DeploymentSpec, set()),
        ("Deployment", ("spec", "selector"), MatchLabelsSelector, set()),
        ("Deployment", ("spec", "strategy"), DeploymentStrategy, set()),
        ("Deployment", ("spec", "strategy", "rollingUpdate"), RollingUpdateDeployment, set()),
        ("Deployment", ("spec", "template"), PodTemplateSpec, set()),
        ("Deployment", ("spec", "template", "metadata"), TemplateMeta, set()),
        ("Deployment", TEMPLATE, PodSpec, {"os"}),
        ("Deployment", CONTAINER, Container, set()),
        ("Deployment", (*TEMPLATE, "initContainers", "[]"), Container, set()),
        ("Deployment", (*CONTAINER, "ports", "[]"), ContainerPort, set()),
        ("Deployment", (*CONTAINER, "resources"), ResourceRequirements, set()),
        ("Deployment", (*CONTAINER, "env", "[]"), EnvVar, set()),
        ("Deployment", ENV, EnvVarSource, set()),
        ("Deployment", (*ENV, "secretKeyRef"), KeySelector, set()),
        ("Deployment", (*ENV, "fieldRef"), ObjectFieldSelector, {"apiVersion"}),
        ("Deployment", (*ENV, "resourceFieldRef"), ResourceFieldSelector, set()),
        ("Deployment", (*CONTAINER, "envFrom", "[]"), EnvFromSource, set()),
        ("Deployment", (*CONTAINER, "envFrom", "[]", "secretRef"), EnvFromRef, set()),
        ("Deployment", PROBE, Probe, set()),
        ("Deployment", (*PROBE, "exec"), ExecAction, set()),
        ("Deployment", (*PROBE, "httpGet"), HTTPGetAction, set()),
        ("Deployment", (*PROBE, "httpGet", "httpHeaders", "[]"), HTTPHeader, set()),
        ("Deployment", (*PROBE, "tcpSocket"), TCPSocketAction, set()),
        ("Deployment", (*PROBE, "grpc"), GRPCAction, set()),
        ("Deployment", (*CONTAINER, "readinessProbe"), Probe, set()),
        ("Deployment", (*CONTAINER, "startupProbe"), Probe, set()),
        ("Deployment", (*CONTAINER, "lifecycle"), Lifecycle, set()),
        ("Deployment", (*CONTAINER, "lifecycle", "preStop"), LifecycleHandler, set()),
        ("Deployment", (*CONTAINER, "lifecycle", "preStop", "sleep"), SleepAction, set()),
        ("Deployment", (*CONTAINER, "volumeMounts", "[]"), VolumeMount, set()),
        ("Deployment", (*CONTAINER, "securityContext"), SecurityContext, {"appArmorProfile"}),
        ("Deployment", (*CONTAINER, "securityContext", "capabilities"), Capabilities, set()),
        ("Deployment", (*CONTAINER, "securityContext", "seccompProfile"), SeccompProfile, set()),
        ("Deployment", (*TEMPLATE, "securityContext"), PodSecurityContext, {"appArmorProfile"}),
        ("Deployment", (*TEMPLATE, "securityContext", "sysctls", "[]"), Sysctl, set()),
        ("Deployment", VOLUME, Volume, set()),
        ("Deployment", (*VOLUME, "configMap"), ConfigMapVolumeSource, set()),
        ("Deployment", (*VOLUME, "configMap", "items", "[]"), KeyToPath, set()),
        ("Deployment", (*VOLUME, "secret"), SecretVolumeSource, set()),
        ("Deployment", (*VOLUME, "downwardAPI"), DownwardAPIVolumeSource, set()),
        ("Deployment", (*VOLUME, "downwardAPI", "items", "[]"), DownwardAPIVolumeFile, set()),
        (
            "Deployment",
            (*VOLUME, "downwardAPI", "items", "[]", "fieldRef"),
            ObjectFieldSelector,
            {"apiVersion"},
        ),
        (
            "Deployment",
            (*VOLUME, "downwardAPI", "items", "[]", "resourceFieldRef"),
            ResourceFieldSelector,
            set(),
        ),
        ("Deployment", (*VOLUME, "projected"), ProjectedVolumeSource, set()),
        ("Deployment", SOURCE, VolumeProjection, set()),
        ("Deployment", (*SOURCE, "configMap"), ConfigMapProjection, set()),
        ("Deployment", (*SOURCE, "secret"), SecretProjection, set()),
        ("Deployment", (*SOURCE, "downwardAPI"), DownwardAPIProjection, set()),
        ("Deployment", (*VOLUME, "emptyDir"), EmptyDirVolumeSource, set()),
        ("Deployment", (*VOLUME, "hostPath"), HostPathVolumeSource, set()),
        ("Deployment", (*VOLUME, "persistentVolumeClaim"), PersistentVolumeClaimVolumeSource, set()),
        ("Deployment", (*VOLUME, "nfs"), NFSVolumeSource, set()),
        ("Deployment", (*TEMPLATE, "hostAliases", "[]"), HostAlias, set()),
        ("Deployment", (*TEMPLATE, "dnsConfig"), PodDNSConfig, set()),
        ("Deployment", (*TEMPLATE, "dnsConfig", "options", "[]"), PodDNSConfigOption, set()),
        ("Deployment", (*TEMPLATE, "imagePullSecrets", "[]"), LocalObjectReference, set()),
        ("Deployment", (*TEMPLATE, "readinessGates", "[]"), PodReadinessGate, set()),
        ("Deployment", (*TEMPLATE, "tolerations", "[]"), Toleration, set()),
        ("Service", ("spec",), ServiceSpec, set()),
        ("Service", ("spec", "ports", "[]"), ServicePort, set()),
        ("Service", ("spec", "sessionAffinityConfig"), SessionAffinityConfig, set()),
        ("Service", ("spec", "sessionAffinityConfig", "clientIP"), ClientIPConfig, set()),
        ("EndpointSlice", (), EndpointSlice, {"apiVersion", "kind"}),
        ("EndpointSlice", ("endpoints", "[]"), SliceEndpoint, set()),
        ("EndpointSlice", ("endpoints", "[]", "conditions"), EndpointConditions, set()),
        ("EndpointSlice", ("ports", "[]"), SlicePort, set()),
        ("NetworkPolicy", (), NetworkPolicy, {"apiVersion", "kind"}),
        ("NetworkPolicy", ("spec",), NetworkPolicySpec, set()),
        ("NetworkPolicy", ("spec", "podSelector"), LabelSelector, set()),
        ("NetworkPolicy", ("spec", "podSelector", "matchExpressions", "[]"), LabelSelectorRequirement, set()),
        ("NetworkPolicy", ("spec", "ingress", "[]"), NetworkPolicyIngressRule, set()),
        ("NetworkPolicy", ("spec", "ingress", "[]", "from", "[]"), NetworkPolicyPeer, set()),
        ("NetworkPolicy", ("spec", "ingress", "[]", "from", "[]", "ipBlock"), IPBlock, set()),
        ("NetworkPolicy", ("spec", "egress", "[]"), NetworkPolicyEgressRule, set()),
        ("NetworkPolicy", ("spec", "egress", "[]", "ports", "[]"), NetworkPolicyPort, set()),
        ("Ingress", ("spec",), IngressSpec, set()),
        ("Ingress", ("spec", "defaultBackend"), IngressBackend, set()),
        ("Ingress", RULE, IngressRule, set()),
        ("Ingress", (*RULE, "http"), HTTPIngressRuleValue, set()),
        ("Ingress", (*RULE, "http", "paths", "[]"), HTTPIngressPath, set()),
        ("Ingress", BACKEND, IngressBackend, set()),
        ("Ingress", (*BACKEND, "service"), IngressServiceBackend, set()),
        ("Ingress", (*BACKEND, "service", "port"), ServiceBackendPort, set()),
        ("Ingress", ("spec", "tls", "[]"), IngressTLS, set()),
        ("ConfigMap", (), ConfigMap, {"apiVersion", "kind"}),
        ("PersistentVolumeClaim", (), PersistentVolumeClaim, {"apiVersion", "kind"}),
        ("PersistentVolumeClaim", ("spec",), PersistentVolumeClaimSpec, set()),
    ],
)
def test_a_field_is_supported_exactly_where_a_type_has_it(
    kind: str, path: tuple[str, ...], struct: type[Struct], without_type: set[str]
) -> None:
    assert set(supported(SCHEMAS[kind], *path)) - without_type == {field.encode_name for field in fields(struct)}


def test_a_secret_holds_what_its_type_has_but_for_how_it_is_encoded() -> None:
    known = set(supported(SCHEMAS["Secret"])) - {"apiVersion", "kind", "stringData"}
    assert known == {field.encode_name for field in fields(Secret)} - {"binaryData"}


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
