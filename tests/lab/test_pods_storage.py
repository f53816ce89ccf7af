"""Volumes with bytes of their own: as long-lived as the pod, as the claim, or the host's; and what goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.lab import Host, Lab
from tests.lab.pods import (
    STAY,
    Json,
    Stage,
    claim,
    container,
    is_running,
    message,
    pod,
    reason,
    restarts,
    workload,
)
from tests.lab.world import eventually

pytestmark = pytest.mark.hosts(2)
ON_DISK = "/var/lib/reconciler/test/pods"
ALL: Json = {"name": "data", "mountPath": "/all"}
EMPTY: Json = {"volumes": [{"name": "data", "emptyDir": {}}]}
DATA: Json = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}


def data(**source: object) -> list[Json]:
    return [{"name": "data", **source}]


def test_an_empty_dir_outlives_a_container_and_goes_with_the_pod(stage: Stage) -> None:
    stage.put(pod("disk", container(**DATA), volumes=data(emptyDir={})))
    uid = stage.up("disk")["metadata"]["uid"]
    stage.inside("disk", "sh", "-c", "echo kept >/data/file")
    stage.crash("disk")
    stage.wait("disk", lambda seen: restarts(seen) == 1 and is_running(seen))
    assert stage.inside("disk", "cat", "/data/file") == "kept"
    host = stage.world.lab.node("node-1")
    assert host.run(["cat", f"{ON_DISK}/{uid}/data/file"]).stdout == "kept\n"
    stage.clear()
    stage.gone("disk")
    eventually(lambda: uid not in host.run(["ls", ON_DISK], check=False).stdout, 10, "the directory's end")


def test_an_empty_dir_in_memory_holds_as_much_as_it_may(stage: Stage) -> None:
    volumes = data(emptyDir={"medium": "Memory", "sizeLimit": "1Mi"})
    stage.put(pod("memory", container(**DATA), container("other", **DATA), volumes=volumes))
    uid = stage.up("memory")["metadata"]["uid"]
    assert stage.inside("memory", "stat", "-f", "-c", "%T", "/data") == "tmpfs"
    assert "No space" in stage.inside("memory", "dd", "if=/dev/zero", "of=/data/big", "bs=64k", "count=32")
    assert stage.inside("memory", "ls", "/data", name="other") == "big"
    stage.clear()
    stage.gone("memory")
    host = stage.world.lab.node("node-1")
    eventually(lambda: uid not in host.run(["cat", "/proc/mounts"]).stdout, 10, "the memory's end")


def test_a_claims_pod_returns_to_its_data_also_after_both_were_deleted(stage: Stage) -> None:
    anywhere: Json = {"nodeSelector": {}}
    volumes = data(persistentVolumeClaim={"claimName": "keep"})
    base = workload("base", container("main", **DATA), volumes=volumes, more={"strategy": {"type": "Recreate"}})
    base["spec"]["template"]["spec"].update(anywhere)
    stage.put(claim("keep"), base)
    node = stage.up("base")["spec"]["nodeName"]
    stage.inside("base", "sh", "-c", "echo precious >/data/file", node=node)
    for turn in ("rolled", "deleted"):
        if turn == "deleted":
            mark = stage.put(pod("other", container()))
            stage.running.converged(since=mark)
            assert stage.containers("base", node) == []
            assert "test_default_keep" in stage.docker("volume", "ls", "-q", node=node)
        base["spec"]["template"]["metadata"]["annotations"] = {"turn": turn}
        mark = stage.put(claim("keep"), base)
        stage.running.converged(since=mark)
        assert stage.up("base")["spec"]["nodeName"] == node
        assert stage.inside("base", "cat", "/data/file", node=node) == "precious"


def test_a_claim_whose_policy_says_so_goes_with_its_data(stage: Stage) -> None:
    volumes = data(persistentVolumeClaim={"claimName": "brief"})
    wanted = claim("brief", **{"reconciler.dev/reclaim-policy": "Delete"})
    stage.put(wanted, pod("user", container(**DATA), volumes=volumes))
    stage.up("user")
    assert "test_default_brief" in stage.docker("volume", "ls", "-q")
    stage.put(pod("other", container()))
    stage.gone("user")
    eventually(lambda: "test_default_brief" not in stage.docker("volume", "ls", "-q"), 15, "the volume's end")


@pytest.mark.fault(25)
@pytest.mark.rule(3)
def test_a_host_path_is_refused_unless_the_cluster_allows_it(stage: Stage) -> None:
    host = stage.world.lab.node("node-1")
    host.run(["sh", "-c", "mkdir -p /srv/shown /srv/lent; echo shown >/srv/shown/file"])
    for path, read_only in (("/", True), ("/var/run/docker.sock", True), ("/srv/shown", False), ("/srv", True)):
        mounts = [{"name": "data", "mountPath": "/data", "readOnly": read_only}]
        mark = stage.write(pod("nosy", container(volumeMounts=mounts), volumes=data(hostPath={"path": path})))
        problem = stage.running.wait_for("Problem", "hostPath", since=mark)["message"]
        assert "test.yaml:" in problem, path
        assert "Cluster" in problem, problem
    made = data(hostPath={"path": "/srv/shown/new", "type": "DirectoryOrCreate"})
    mark = stage.write(pod("nosy", container(volumeMounts=[{**ALL, "readOnly": True}]), volumes=made))
    problem = stage.running.wait_for("Problem", "reading", since=mark)["message"]
    assert "type: Directory" in problem, problem
    mounts = [
        {"name": "data", "mountPath": "/data", "readOnly": True},
        {"name": "lent", "mountPath": "/lent"},
    ]
    volumes = [
        *data(hostPath={"path": "/srv/shown", "type": "Directory"}),
        {"name": "lent", "hostPath": {"path": "/srv/lent/new", "type": "DirectoryOrCreate"}},
    ]
    stage.put(pod("allowed", container(volumeMounts=mounts), volumes=volumes))
    stage.up("allowed")
    assert stage.inside("allowed", "cat", "/data/file") == "shown"
    assert "Read-only" in stage.inside("allowed", "touch", "/data/other")
    stage.inside("allowed", "touch", "/lent/written")
    assert host.run(["ls", "/srv/lent/new"]).stdout.split() == ["written"]
    host.run(["rm", "-r", "/srv/shown", "/srv/lent"])


@pytest.mark.rule(3)
def test_a_link_that_a_pod_made_leads_nobody_out_of_its_volume(stage: Stage) -> None:
    """By subPath, and below a path of the host where pods may write."""
    host = stage.world.lab.node("node-1")
    host.run(["mkdir", "-p", "/srv/lent"])
    away = "ls /sub >&2; [ -e /all/done ] && exec /bin/pause; touch /all/done; "
    both: Json = {"volumeMounts": [ALL, {"name": "data", "mountPath": "/sub", "subPath": "sub"}]}
    lent: Json = {"volumeMounts": [{"name": "data", "mountPath": "/lent"}]}
    stage.put(
        pod("moved", container(script=f"{away} mv /all/sub /all/old; ln -s / /all/sub; exit 1", **both), **EMPTY),
        pod("removed", container(script=f"{away} rmdir /all/sub; ln -s / /all/sub; exit 1", **both), **EMPTY),
        pod(
            "early",
            container(**both),
            initContainers=[container("first", "ln -s / /all/sub", volumeMounts=[ALL])],
            **EMPTY,
        ),
        pod(
            "lends",
            container(
                script=f"mkdir /lent/in; ln -s in /lent/within; ln -s / /lent/evil; ln -s /run /lent/run; {STAY}",
                **lent,
            ),
            volumes=data(hostPath={"path": "/srv/lent"}),
        ),
    )
    stage.up("lends")
    stage.put(
        pod("inside", container(**DATA), volumes=data(hostPath={"path": "/srv/lent/within"})),
        pod("led", container(**DATA), volumes=data(hostPath={"path": "/srv/lent/evil"})),
        pod("made", container(**DATA), volumes=data(hostPath={"path": "/srv/lent/run/canary"})),
        pod(
            "part",
            container(volumeMounts=[{**ALL, "subPath": "evil/etc"}]),
            volumes=data(hostPath={"path": "/srv/lent"}),
        ),
        file="more.yaml",
    )
    stage.up("inside")
    for name in ("led", "made", "part", "early", "removed"):
        seen = stage.wait(name, lambda seen: reason(seen) == "CreateContainerConfigError")
        assert "lead" in message(seen), message(seen)
        assert "/srv/lent" in message(seen) or "subPath" in message(seen)
    stage.wait("moved", lambda seen: restarts(seen) == 1 and is_running(seen))
    stage.crash("moved")
    stage.wait("moved", lambda seen: restarts(seen) == 2 and is_running(seen))
    assert stage.inside("moved", "ls", "/sub") == ""
    for name in ("moved", "removed"):
        # What each of its runs has listed.
        told = host.docker("logs", stage.container(name).id)
        assert "etc" not in (told.stdout + told.stderr).split()
    assert host.run(["ls", "/run/canary"], check=False).returncode != 0
    host.run(["rm", "-r", "/srv/lent"])
    stage.clear()
    for name in ("moved", "removed", "part"):
        stage.gone(name)
    eventually(lambda: "/pins/" not in host.run(["cat", "/proc/mounts"]).stdout, 15, "the end of their mounts")


def test_a_directory_made_for_a_sub_path_is_its_volumes(stage: Stage) -> None:
    """Whoever may write in the volume may write there, however deep it is, and whatever the volume is."""
    script = f"for d in /one /two /expr; do touch $d/x && stat -c '%a %g' $d; done; {STAY}"
    mounts = [
        {"name": "data", "mountPath": "/one", "subPath": "data"},
        {"name": "data", "mountPath": "/two", "subPath": "data2/deep"},
        {"name": "data", "mountPath": "/expr", "subPathExpr": "$(POD)/logs"},
    ]
    env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    sources: Json = {
        "disk": {"emptyDir": {}},
        "memory": {"emptyDir": {"medium": "Memory"}},
        "claim": {"persistentVolumeClaim": {"claimName": "nested"}},
    }
    groups: Json = {"own": {}, "group": {"fsGroup": 2000}}
    every = [
        (f"{name}-{kind}", data(**source), {"runAsUser": 1234, "runAsGroup": 3000, **group})
        for name, source in sources.items()
        for kind, group in groups.items()
        if f"{name}-{kind}" != "claim-own"
    ]
    nested = container(script=script, volumeMounts=mounts, env=env)
    stage.put(
        claim("nested"),
        *(pod(name, nested, volumes=volumes, securityContext=context) for name, volumes, context in every),
    )
    for name, _, context in every:
        stage.up(name)
        wanted = "2777 2000" if "fsGroup" in context else "777 0"
        assert stage.logs(name).splitlines() == [wanted] * 3, name


def test_a_volume_path_that_is_a_file_says_so_and_disturbs_nobody(stage: Stage) -> None:
    host = stage.world.lab.node("node-1")
    host.run(["sh", "-c", "mkdir -p /srv/shown; echo >/srv/shown/a-file"])
    typed = data(hostPath={"path": "/srv/shown/a-file", "type": "Directory"})
    read_only: Json = {"volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}]}
    in_the_way: Json = {"volumeMounts": [{"name": "data", "mountPath": "/etc/passwd"}]}
    stage.put(
        pod("beside", container()),
        pod("typed", container(**read_only), volumes=typed),
        pod("on-a-file", container(**in_the_way), volumes=data(emptyDir={})),
    )
    stage.up("beside")
    seen = stage.wait("typed", lambda seen: reason(seen) == "CreateContainerConfigError")
    assert "/srv/shown/a-file" in message(seen)
    seen = stage.wait("on-a-file", lambda seen: reason(seen) in ("RunContainerError", "CreateContainerError"))
    assert "directory" in message(seen)
    host.run(["sh", "-c", "rm /srv/shown/a-file; mkdir /srv/shown/a-file"])
    stage.up("typed", 30)
    host.run(["rm", "-r", "/srv/shown"])


@pytest.mark.fault(52)
def test_a_full_disk_is_said_and_healed_when_there_is_room_again(lab: Lab, stage: Stage) -> None:
    host = lab.node("node-2")
    on_two: Json = {"nodeSelector": {"kubernetes.io/hostname": "node-2"}}
    with small_disk(host):
        stage.put(pod("early", container(), **on_two), file="early.yaml")
        stage.up("early")
        before = stage.container("early", node="node-2")
        host.run(["sh", "-c", "dd if=/dev/zero of=/var/lib/docker/containers/filler bs=4k 2>/dev/null || true"])
        stage.put(pod("hungry", container(), **on_two))
        stage.event("CreateContainerError", "no space left")
        assert stage.container("early", node="node-2") == before
        host.run(["rm", "/var/lib/docker/containers/filler"])
        stage.up("hungry", 40)
        assert stage.container("early", node="node-2") == before
        stage.clear()
        eventually(lambda: not stage.containers("hungry", "node-2") + stage.containers("early", "node-2"))


@contextmanager
def small_disk(host: Host) -> Iterator[None]:
    """The engine keeps its containers' files on 2 MB, while it has none."""
    place = "/var/lib/docker/containers"
    host.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place])
    try:
        yield
    finally:
        host.run(["rm", "-f", f"{place}/filler"])
        for pod in host.docker("ps", "-aq", "--filter", "label=reconciler.dev/pod").stdout.split():
            host.docker("rm", "-f", pod, check=False)
        host.run(["umount", "-l", place])
