"""The levels of the Pod Security Standards, as the Cluster gives them to namespaces."""

from textwrap import indent

import pytest

from reconciler.model.desired import Desired, Rejected
from tests.good_revision import Faults, Load
from tests.kinds.pod.test_admission import INIT, C, pod

CLUSTER = """\
apiVersion: reconciler.dev/v1
kind: Cluster
metadata: {name: lab}
spec:
  podSecurity:
"""
RESTRICTED = "default: restricted"
TIGHT = (
    "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, runAsNonRoot: true, "
    "seccompProfile: {type: RuntimeDefault}}"
)
SYSTEM = "apiVersion: v1\nkind: Namespace\nmetadata: {name: system}\n"
DAEMON = """\
volumes: [{name: root, hostPath: {path: /}}]
hostNetwork: true
hostPID: true
hostIPC: true
securityContext: {seccompProfile: {type: Unconfined}, sysctls: [{name: kernel.shmmax, value: "1"}]}"""
DAEMON_CONTAINER = """\
securityContext: {privileged: true, capabilities: {add: [SYS_ADMIN]}, seccompProfile: {type: Unconfined}}
livenessProbe: {httpGet: {port: 80, host: example.org}}"""


def cluster(policy: str) -> str:
    return CLUSTER + indent(policy, "    ") + "\n"


@pytest.mark.fault(25)
@pytest.mark.rule(3)
@pytest.mark.parametrize(
    ("spec", "container", "expected"),
    [
        ("hostNetwork: true", "", "/spec/hostNetwork"),
        ("hostPID: true", "", "/spec/hostPID"),
        ("hostIPC: true", "", "/spec/hostIPC"),
        ("volumes: [{name: v, hostPath: {path: /srv}}]", "", "/spec/volumes/0/hostPath/path"),
        (
            "securityContext: {seccompProfile: {type: Unconfined}}",
            "",
            "/spec/securityContext/seccompProfile/type",
        ),
        (
            "securityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}",
            "",
            "/spec/securityContext/sysctls/0/name",
        ),
        ("", "securityContext: {privileged: true}", f"{C}/securityContext/privileged"),
        (
            "",
            "securityContext: {capabilities: {add: [KILL, NET_ADMIN]}}",
            f"{C}/securityContext/capabilities/add/1",
        ),
        (
            "",
            "securityContext: {seccompProfile: {type: Unconfined}}",
            f"{C}/securityContext/seccompProfile/type",
        ),
        (
            "",
            "livenessProbe: {httpGet: {port: 1, host: 10.0.0.1}}",
            f"{C}/livenessProbe/httpGet/host",
        ),
        ("", "startupProbe: {tcpSocket: {port: 1, host: a}}", f"{C}/startupProbe/tcpSocket/host"),
        ("", "lifecycle: {preStop: {httpGet: {port: 1, host: a}}}", f"{C}/lifecycle/preStop/httpGet/host"),
        (
            "initContainers: [{name: i, image: a, securityContext: {privileged: true}}]",
            "",
            f"{INIT}/securityContext/privileged",
        ),
        (
            "initContainers: [{name: i, image: a, ports: [{containerPort: 80, hostPort: 80}]}]",
            "",
            f"{INIT}/ports/0/hostPort",
        ),
    ],
)
def test_baseline_keeps_pods_off_their_host(load: Load, spec: str, container: str, expected: str) -> None:
    result = load({"p.yaml": pod(spec, container)})
    assert [(problem.pointer, problem.code) for problem in result.problems] == [(expected, "pod-security")]
    assert "default" in result.problems[0].message
    assert "podSecurity" in result.problems[0].fix
    assert isinstance(
        load({"p.yaml": pod(spec, container), "cluster.yaml": cluster("default: privileged")}), Desired
    )


@pytest.mark.rule(3)
@pytest.mark.parametrize(
    ("spec", "container", "expected"),
    [
        ("", TIGHT, None),
        (
            "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}",
            "securityContext: {allowPrivilegeEscalation: false, "
            "capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}",
            None,
        ),
        ("", TIGHT.replace("allowPrivilegeEscalation: false, ", ""), "/allowPrivilegeEscalation"),
        ("", TIGHT.replace("false", "true", 1), "/allowPrivilegeEscalation"),
        ("", TIGHT.replace("[ALL]", "[KILL]"), "/capabilities/drop"),
        ("", TIGHT.replace("[ALL]", "[ALL], add: [KILL]"), "/capabilities/add/0"),
        ("", TIGHT.replace("[ALL]", "[ALL], add: [SYS_ADMIN]"), "/capabilities/add/0"),
        ("", TIGHT.replace("runAsNonRoot: true, ", ""), "/runAsNonRoot"),
        (
            "securityContext: {runAsNonRoot: true}",
            TIGHT.replace("NonRoot: true", "NonRoot: false"),
            "/runAsNonRoot",
        ),
        ("", TIGHT.replace(", seccompProfile: {type: RuntimeDefault}", ""), "/seccompProfile"),
        ("securityContext: {runAsNonRoot: false}", TIGHT, "/spec/securityContext/runAsNonRoot"),
        ("volumes: [{name: v, nfs: {server: a, path: /b}}]", TIGHT, "/spec/volumes/0/nfs"),
    ],
)
def test_restricted_asks_for_what_the_standard_does(
    load: Load, spec: str, container: str, expected: str | None
) -> None:
    found = load(
        {
            "cluster.yaml": cluster("namespaces: {tight: restricted}"),
            "n.yaml": SYSTEM.replace("system", "tight"),
            "p.yaml": pod(spec, container).replace("{name: p}", "{name: p, namespace: tight}"),
        }
    )
    wanted = []
    if expected:
        wanted = [expected if expected.startswith("/spec") else f"{C}/securityContext{expected}"]
    problems = found.problems if isinstance(found, Rejected) else ()
    assert [problem.pointer for problem in problems if problem.code == "pod-security"] == wanted
    assert len(problems) == len(wanted)


def test_a_level_holds_for_its_namespace_alone(load: Load) -> None:
    daemon = pod(DAEMON.replace(', sysctls: [{name: kernel.shmmax, value: "1"}]', ""), DAEMON_CONTAINER)
    files = {"cluster.yaml": cluster("namespaces: {system: privileged}"), "n.yaml": SYSTEM}
    assert isinstance(load({**files, "p.yaml": daemon}), Rejected)
    own = daemon.replace("{name: p}", "{name: p, namespace: system}")
    assert isinstance(load({**files, "p.yaml": own}), Desired)


def test_tightening_the_cluster_refuses_what_was_allowed(load: Load) -> None:
    text = pod("", TIGHT.replace("runAsNonRoot: true, ", ""))
    no_web = {"web.yaml": None, "web-service.yaml": None, "p.yaml": text}
    assert isinstance(load(no_web), Desired)
    assert isinstance(load({**no_web, "cluster.yaml": cluster(RESTRICTED)}), Rejected)
    assert isinstance(load(no_web), Desired)


@pytest.mark.parametrize(
    ("policy", "volume", "mount", "allowed"),
    [
        ("[{path: /srv}]", "/srv", "readOnly: true", True),
        ("[{path: /srv/}]", "/srv/a/b", "readOnly: true", True),
        ("[{path: /srv}]", "/srv2", "readOnly: true", False),
        ("[{path: /srv}]", "/", "readOnly: true", False),
        ("[{path: /srv}]", "/srv", "readOnly: false", False),
        ("[{path: /srv, readOnly: false}]", "/srv", "readOnly: false", True),
        ("[{path: /srv, namespaces: [system]}]", "/srv", "readOnly: true", False),
        ("[{path: /srv, namespaces: [default]}]", "/srv", "readOnly: true", True),
        ("[{path: /}]", "/etc", "readOnly: true", True),
    ],
)
def test_a_host_path_may_be_allowed_by_name(
    load: Load, policy: str, volume: str, mount: str, allowed: bool
) -> None:
    text = pod(
        f"volumes: [{{name: v, hostPath: {{path: {volume}}}}}]",
        f"volumeMounts: [{{name: v, mountPath: /a, {mount}}}]",
    )
    result = load({"cluster.yaml": cluster(f"hostPaths: {policy}"), "p.yaml": text})
    assert isinstance(result, Desired) is allowed


@pytest.mark.rule(3)
@pytest.mark.parametrize(
    ("kind", "read_only", "allowed"),
    [
        ("DirectoryOrCreate", True, False),
        ("FileOrCreate", True, False),
        ("Directory", True, True),
        ("File", True, True),
        ("DirectoryOrCreate", False, True),
    ],
)
def test_nothing_is_made_below_a_path_that_may_be_read(
    load: Load, kind: str, read_only: bool, allowed: bool
) -> None:
    text = pod(
        f"volumes: [{{name: v, hostPath: {{path: /srv/a, type: {kind}}}}}]",
        "volumeMounts: [{name: v, mountPath: /a, readOnly: true}]",
    )
    policy = f"hostPaths: [{{path: /srv, readOnly: {str(read_only).lower()}}}]"
    result = load({"cluster.yaml": cluster(policy), "p.yaml": text})
    assert isinstance(result, Desired) is allowed
    if isinstance(result, Rejected):
        (problem,) = result.problems
        assert problem.pointer == "/spec/volumes/0/hostPath/type"
        assert kind.removesuffix("OrCreate") in problem.fix


@pytest.mark.parametrize(
    ("ports", "allowed"), [("[8080]", True), ('["8000-8080"]', True), ('["8081-9000"]', False), ("[80]", False)]
)
def test_a_host_port_may_be_allowed_by_number(load: Load, ports: str, allowed: bool) -> None:
    text = pod().replace("containerPort: 8080", "containerPort: 80, hostPort: 8080")
    result = load({"cluster.yaml": cluster(f"hostPorts: {ports}"), "p.yaml": text})
    assert isinstance(result, Desired) is allowed


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("default: strict", "/spec/podSecurity/default invalid-value"),
        ('hostPorts: ["9000-8000"]', "/spec/podSecurity/hostPorts/0 invalid-value"),
        ("hostPorts: [0]", "/spec/podSecurity/hostPorts/0 invalid-value"),
        ("hostPaths: [{path: /a/../..}]", "/spec/podSecurity/hostPaths/0/path invalid-value"),
        ("{}\n  imageGC: {lowThresholdPercent: 90}", "/spec/imageGC/lowThresholdPercent invalid-value"),
        (
            "{}\n  podLimits: {containerLogMaxSize: 1Ki}",
            "/spec/podLimits/containerLogMaxSize impossible-resources",
        ),
    ],
)
def test_a_policy_that_means_nothing_is_refused(load: Load, policy: str, expected: str) -> None:
    text = (
        cluster(policy)
        if not policy.startswith("{}")
        else CLUSTER.replace("podSecurity:", f"podSecurity: {policy}")
    )
    result = load({"cluster.yaml": text})
    assert [f"{problem.pointer} {problem.code}" for problem in result.problems] == [expected]


def test_a_namespaces_own_labels_point_at_the_cluster(load: Load, faults: Faults) -> None:
    label = "labels: {pod-security.kubernetes.io/enforce: restricted}"
    result = load({"n.yaml": SYSTEM.replace("{name: system}", f"{{name: system, {label}}}")})
    assert isinstance(result, Desired)
    assert [problem.code for problem in result.warnings] == ["ignored-field"]
    assert "under system" in result.warnings[0].fix


def test_a_level_for_a_namespace_that_is_not_there_is_a_warning(load: Load) -> None:
    result = load({"cluster.yaml": cluster("namespaces: {shpo: restricted}")})
    assert isinstance(result, Desired)
    assert [f"{problem.pointer} {problem.code}" for problem in result.warnings] == [
        "/spec/podSecurity/namespaces/shpo ignored-field"
    ]
