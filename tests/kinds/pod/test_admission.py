"""Faults within one pod that only a look at several of its fields shows."""

from textwrap import indent

import pytest

from reconciler.model.desired import Desired, Rejected
from tests.good_revision import Faults, Load, hashes

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
    - name: main
      image: web:1
      ports: [{name: http, containerPort: 8080}]
"""
C = "/spec/containers/0"
INIT = "/spec/initContainers/0"


def pod(spec: str = "", container: str = "") -> str:
    """A pod with these lines in its spec, and in its one container."""
    return POD + indent(container, " " * 6) + ("\n" if container else "") + indent(spec, "  ") + "\n"


def init(fields: str) -> str:
    return "initContainers: [{name: first, image: web:1" + (", " + fields if fields else "") + "}]"


@pytest.mark.parametrize(
    ("spec", "container", "expected"),
    [
        ("initContainers: [{name: main, image: web:1}]", "", f"{C}/name duplicate-name"),
        (
            "",
            "securityContext: {runAsGroup: 5}",
            f"{C}/securityContext/runAsGroup conflicting-fields",
        ),
        ("", "restartPolicy: Always", f"{C}/restartPolicy restart-policy"),
        (init("readinessProbe: {grpc: {port: 1}}"), "", f"{INIT}/readinessProbe conflicting-fields"),
        (init("lifecycle: {preStop: {sleep: {seconds: 1}}}"), "", f"{INIT}/lifecycle conflicting-fields"),
        ("", "livenessProbe: {}", f"{C}/livenessProbe conflicting-fields"),
        ("", "livenessProbe: {exec: {command: [a]}, grpc: {port: 1}}", f"{C}/livenessProbe conflicting-fields"),
        ("", "livenessProbe: {tcpSocket: {port: htpp}}", f"{C}/livenessProbe/tcpSocket/port unknown-port"),
        ("", "startupProbe: {httpGet: {port: htpp}}", f"{C}/startupProbe/httpGet/port unknown-port"),
        (
            "",
            "livenessProbe: {grpc: {port: 1}, successThreshold: 2}",
            f"{C}/livenessProbe/successThreshold invalid-value",
        ),
        (
            "",
            "readinessProbe: {grpc: {port: 1}, terminationGracePeriodSeconds: 5}",
            f"{C}/readinessProbe/terminationGracePeriodSeconds conflicting-fields",
        ),
        (
            "",
            "livenessProbe: {grpc: {port: 1}, periodSeconds: -1}",
            f"{C}/livenessProbe/periodSeconds invalid-value",
        ),
        ("", "livenessProbe: {exec: {command: []}}", f"{C}/livenessProbe/exec/command invalid-value"),
        ("", "lifecycle: {postStart: {}}", f"{C}/lifecycle/postStart invalid-value"),
        (
            "",
            "lifecycle: {postStart: {exec: {command: [a]}, sleep: {seconds: 1}}}",
            f"{C}/lifecycle/postStart invalid-value",
        ),
        ("", "lifecycle: {preStop: {sleep: {seconds: 31}}}", f"{C}/lifecycle/preStop/sleep/seconds invalid-value"),
        ("", "lifecycle: {preStop: {httpGet: {port: x}}}", f"{C}/lifecycle/preStop/httpGet/port unknown-port"),
        (
            "",
            "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, containerName: other}}}]",
            f"{C}/env/0/valueFrom/resourceFieldRef/containerName unknown-container",
        ),
        (
            "",
            "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1Mi}}}]",
            f"{C}/env/0/valueFrom/resourceFieldRef/divisor invalid-value",
        ),
        (
            "",
            "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: -1}}}]",
            f"{C}/env/0/valueFrom/resourceFieldRef/divisor invalid-value",
        ),
        (
            "",
            "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.disk}}}]",
            f"{C}/env/0/valueFrom/resourceFieldRef/resource invalid-value",
        ),
        (
            "",
            "securityContext: {privileged: true, allowPrivilegeEscalation: false}",
            f"{C}/securityContext/allowPrivilegeEscalation conflicting-fields",
        ),
        (
            "securityContext: {runAsNonRoot: true}",
            "securityContext: {runAsUser: 0}",
            f"{C}/securityContext/runAsUser conflicting-fields",
        ),
        (
            "",
            "securityContext: {capabilities: {add: [CAP_NET_ADMIN]}}",
            f"{C}/securityContext/capabilities/add/0 invalid-value",
        ),
        ("dnsPolicy: None", "", "/spec/dnsPolicy conflicting-fields"),
        ("dnsConfig: {nameservers: [1.2.3]}", "", "/spec/dnsConfig/nameservers/0 invalid-address"),
        ("hostAliases: [{ip: 1.2.3.4.5, hostnames: [a]}]", "", "/spec/hostAliases/0/ip invalid-address"),
        (
            "securityContext: {sysctls: [{name: vm.swappiness, value: '1'}]}",
            "",
            "/spec/securityContext/sysctls/0/name invalid-value",
        ),
        (
            "securityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}\nhostNetwork: true",
            "",
            "/spec/securityContext/sysctls/0/name conflicting-fields",
        ),
        ("hostPID: true\nshareProcessNamespace: true", "", "/spec/shareProcessNamespace conflicting-fields"),
        ("readinessGates: [{conditionType: a b}]", "", "/spec/readinessGates/0/conditionType invalid-value"),
        ("activeDeadlineSeconds: 0", "", "/spec/activeDeadlineSeconds invalid-value"),
    ],
)
def test_a_contradiction_in_a_pod_is_refused(load: Load, spec: str, container: str, expected: str) -> None:
    result = load({"p.yaml": pod(spec, container)})
    assert isinstance(result, Rejected)
    assert expected in [f"{problem.pointer} {problem.code}" for problem in result.problems]


@pytest.mark.parametrize(
    ("spec", "container"),
    [
        (
            init(
                "restartPolicy: Always, readinessProbe: {grpc: {port: 1}}, "
                "lifecycle: {preStop: {sleep: {seconds: 1}}}"
            ),
            "",
        ),
        (init("ports: [{name: early, containerPort: 1}]"), ""),
        ("", "livenessProbe: {httpGet: {port: http, path: /healthz}}"),
        ("", "readinessProbe: {tcpSocket: {port: http}, successThreshold: 3}"),
        ("", "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}]"),
        ("", "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 0}}}]"),
        ("", "env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}]"),
        ("", "env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.hostIPs}}}]"),
        (
            init(""),
            "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, containerName: first}}}]",
        ),
        (
            "dnsPolicy: None\ndnsConfig: {nameservers: [10.0.0.53, 'fd00::53'], searches: [a.b], "
            "options: [{name: ndots, value: '1'}]}",
            "",
        ),
        ("securityContext: {runAsNonRoot: true}", "securityContext: {runAsUser: 7}"),
        (
            "hostAliases: [{ip: 'fd00::1', hostnames: [a, b]}]\n"
            "subdomain: s\nhostname: h\nsetHostnameAsFQDN: true",
            "",
        ),
        ("restartPolicy: Never\nactiveDeadlineSeconds: 5", "stdin: true\nstdinOnce: true\ntty: true"),
    ],
)
def test_what_upstream_takes_is_taken(load: Load, faults: Faults, spec: str, container: str) -> None:
    result = load({"p.yaml": pod(spec, container)})
    assert faults(result) == []
    assert isinstance(result, Desired)


def test_on_its_hosts_network_a_containers_port_is_the_hosts(load: Load) -> None:
    cluster = (
        "apiVersion: reconciler.dev/v1\nkind: Cluster\nmetadata: {name: lab}\n"
        "spec: {podSecurity: {default: privileged}}\n"
    )
    ports = "        - {containerPort: 81, hostPort: 82}\n"
    text = pod("hostNetwork: true").replace("[{name: http, containerPort: 8080}]\n", "\n" + ports)
    result = load({"cluster.yaml": cluster, "p.yaml": text})
    assert [(problem.code, problem.pointer) for problem in result.problems] == [
        ("conflicting-fields", f"{C}/ports/0/hostPort")
    ]
    text = text.replace(ports, "        - {containerPort: 81}\n        - {containerPort: 81}\n")
    result = load({"cluster.yaml": cluster, "p.yaml": text})
    assert [(problem.code, problem.pointer) for problem in result.problems] == [
        ("duplicate-port", f"{C}/ports/1")
    ] or [problem.code for problem in result.problems] == ["duplicate-port"]


def test_a_deployments_pods_have_no_deadline(changed: Load, faults: Faults) -> None:
    result = changed("web.yaml", "    spec:\n", "    spec:\n      activeDeadlineSeconds: 5\n")
    assert faults(result) == ["web.yaml:15:30 /spec/template/spec/activeDeadlineSeconds conflicting-fields"]


def test_a_service_finds_the_ports_of_sidecars_but_not_of_init_containers(
    load: Load, good: dict[str, str]
) -> None:
    web = good["web.yaml"].replace("    spec:\n", "    spec:\n      initContainers:\n        - {SIDECAR}\n")
    service = good["web-service.yaml"].replace("targetPort: http", "targetPort: side")
    for policy, wanted in ((", restartPolicy: Always", Desired), ("", Rejected)):
        container = "{name: side, image: side:1, ports: [{name: side, containerPort: 1}]" + policy + "}"
        result = load({"web.yaml": web.replace("{SIDECAR}", container), "web-service.yaml": service})
        assert isinstance(result, wanted)


@pytest.mark.parametrize(
    ("path", "line", "code"),
    [
        ("p.yaml", 'reconciler.dev/conditions: "a/b=True,c=False"', None),
        ("p.yaml", 'reconciler.dev/conditions: "a/b=True, c=False"', "invalid-annotation"),
        ("p.yaml", 'reconciler.dev/conditions: "a/b=yes"', "invalid-annotation"),
        ("p.yaml", 'reconciler.dev/conditions: "c=True,c=False"', "invalid-annotation"),
        ("p.yaml", 'reconciler.dev/conditions: "d=True"', "ignored-field"),
        ("p.yaml", 'reconciler.dev/restart-on-change: "true"', None),
        ("p.yaml", 'reconciler.dev/restart-on-change: "yes"', "invalid-annotation"),
        ("p.yaml", 'reconciler.dev/reclaim-policy: "Delete"', "invalid-annotation"),
        ("p.yaml", 'reconciler.dev/condition: "a/b=True"', "invalid-annotation"),
        ("web.yaml", 'reconciler.dev/restart-on-change: "true"', "invalid-annotation"),
        ("config.yaml", 'reconciler.dev/restart-on-change: "true"', "invalid-annotation"),
    ],
)
def test_our_own_annotations_have_a_form_and_a_place(
    load: Load, good: dict[str, str], path: str, line: str, code: str | None
) -> None:
    texts = {**good, "p.yaml": pod("readinessGates: [{conditionType: a/b}, {conditionType: c}]")}
    texts["p.yaml"] = texts["p.yaml"].replace("metadata: {name: p}", "metadata:\n  name: p")
    result = load(
        {**texts, path: texts[path].replace("metadata:\n", f"metadata:\n  annotations:\n    {line}\n", 1)}
    )
    problems = result.problems if isinstance(result, Rejected) else result.warnings
    assert [problem.code for problem in problems] == ([code] if code else [])
    assert isinstance(result, Rejected) == (code == "invalid-annotation")


def test_the_conditions_of_a_pod_make_no_new_pod(load: Load) -> None:
    plain = pod("readinessGates: [{conditionType: c}]").replace("metadata: {name: p}", "metadata:\n  name: p")
    noted = plain.replace("  name: p\n", '  name: p\n  annotations: {reconciler.dev/conditions: "c=True"}\n')
    assert hashes(load({"p.yaml": plain})) == hashes(load({"p.yaml": noted}))
