"""What a container may do, seen from inside it; and what a manifest may not ask for."""

import pytest

from tests.lab.conftest import PIDS
from tests.lab.pods import Json, Stage, container, message, pod, reason
from tests.lab.world import eventually


def status_of_process(stage: Stage, name: str, of: str = "main") -> dict[str, str]:
    lines = stage.inside(name, "cat", "/proc/1/status", name=of).splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_users_groups_and_the_group_of_volumes(stage: Stage) -> None:
    volumes = [{"name": "data", "emptyDir": {}}]
    mounts = [{"name": "data", "mountPath": "/data"}]
    stage.put(
        pod(
            "people",
            container(volumeMounts=mounts),
            container("other", securityContext={"runAsUser": 2000, "runAsGroup": 2001}, volumeMounts=mounts),
            volumes=volumes,
            securityContext={
                "runAsUser": 1000,
                "runAsGroup": 1001,
                "runAsNonRoot": True,
                "fsGroup": 1234,
                "supplementalGroups": [4321],
            },
        )
    )
    stage.up("people")
    assert stage.inside("people", "id", "-u") == "1000"
    assert stage.inside("people", "id", "-g") == "1001"
    assert {"1234", "4321"} <= set(stage.inside("people", "id", "-G").split())
    assert stage.inside("people", "id", "-u", name="other") == "2000"
    stage.inside("people", "touch", "/data/mine")
    assert stage.inside("people", "stat", "-c", "%u %g", "/data/mine", name="other") == "1000 1234"
    assert stage.inside("people", "sh", "-c", "echo x >>/data/new && cat /data/new", name="other") == "x"


def test_capabilities_privilege_escalation_root_file_system_and_sysctls(stage: Stage) -> None:
    tight = {
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
    }
    sysctls = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "81"}]
    stage.put(
        pod("bound", container(securityContext=tight), container("free"), securityContext={"sysctls": sysctls})
    )
    stage.up("bound")
    bound, free = status_of_process(stage, "bound"), status_of_process(stage, "bound", "free")
    assert int(bound["CapEff"], 16) == 1 << 10, "NET_BIND_SERVICE alone"
    assert int(free["CapEff"], 16) != int(bound["CapEff"], 16)
    assert (bound["NoNewPrivs"], free["NoNewPrivs"]) == ("1", "0")
    assert "Read-only" in stage.inside("bound", "touch", "/tmp/x")
    assert stage.inside("bound", "touch", "/tmp/x", name="free") == ""
    start = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    assert stage.inside("bound", "cat", start) == "81"


def test_an_image_that_runs_as_root_is_not_started_where_that_is_forbidden(stage: Stage) -> None:
    stage.put(pod("rootless", container(), securityContext={"runAsNonRoot": True}))
    seen = stage.wait("rootless", lambda seen: reason(seen) == "CreateContainerConfigError")
    assert "root" in message(seen)
    assert stage.containers("rootless") == []


def test_resources_are_limits_of_the_kernel_and_make_the_qos_class(stage: Stage) -> None:
    limits = {"limits": {"cpu": "500m", "memory": "64Mi"}}
    stage.put(
        pod("exact", container(resources={**limits, "requests": limits["limits"]})),
        pod("some", container(resources={"requests": {"cpu": "100m", "memory": "16Mi"}})),
        pod("none", container()),
    )
    classes = {name: stage.up(name)["status"]["qosClass"] for name in ("exact", "some", "none")}
    assert classes == {"exact": "Guaranteed", "some": "Burstable", "none": "BestEffort"}
    host = {name: stage.inspect(name)["HostConfig"] for name in classes}
    assert host["exact"]["Memory"] == host["exact"]["MemorySwap"] == 64 * 2**20, "no swap"
    cpu = host["exact"]
    assert cpu["NanoCpus"] == 5e8 or cpu["CpuQuota"] / cpu["CpuPeriod"] == 0.5
    assert 90 <= host["some"]["CpuShares"] <= 110
    assert {each["PidsLimit"] for each in host.values()} == {PIDS}
    assert host["exact"]["OomScoreAdj"] < host["some"]["OomScoreAdj"] < host["none"]["OomScoreAdj"]


REFUSED: dict[str, tuple[str, Json]] = {
    "privileged": ("default", {"containers": [container(securityContext={"privileged": True})]}),
    "hostNetwork": ("default", {"hostNetwork": True}),
    "hostPID": ("default", {"hostPID": True}),
    "hostIPC": ("default", {"hostIPC": True}),
    "capabilities": (
        "default",
        {"containers": [container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}})]},
    ),
    "hostPort": ("default", {"containers": [container(ports=[{"containerPort": 80, "hostPort": 8094}])]}),
    "sysctls": ("default", {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}),
    "runAsNonRoot": ("tight", {}),
    "mountPropagation": (
        "default",
        {
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [
                container(volumeMounts=[{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}])
            ],
        },
    ),
}


@pytest.mark.fault(25)
@pytest.mark.rule(3)
@pytest.mark.parametrize("field", REFUSED)
def test_what_the_policy_forbids_is_refused_with_file_line_and_field(stage: Stage, field: str) -> None:
    namespace, spec = REFUSED[field]
    asked = pod("asked", container(), **spec)
    asked["metadata"]["namespace"] = namespace
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tight"}}
    mark = stage.write(asked, *([space] if namespace == "tight" else []))
    problem = stage.running.wait_for("Problem", field, since=mark)["message"]
    assert "test.yaml:" in problem
    assert stage.containers("asked") == []


def test_a_namespace_whose_level_is_privileged_may(stage: Stage) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "system"}}
    near = pod("near", container(), hostPID=True, hostIPC=True)
    mighty = pod("mighty", container(securityContext={"privileged": True}))
    for each in (near, mighty):
        each["metadata"]["namespace"] = "system"
    stage.put(space, near, mighty)
    stage.up("near")
    assert "dockerd" in stage.inside("near", "ps")
    eventually(lambda: stage.containers("mighty"), 10)  # Whether it may run is the machine's affair.
    assert stage.inspect("mighty")["HostConfig"]["Privileged"] is True
