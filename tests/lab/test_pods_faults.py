"""What containers do wrong, and what is done to them by hand: the right reason, healing, nobody else disturbed."""

import json
import time
from collections.abc import Iterator

import pytest

from reconciler.lab import Lab
from tests.lab.conftest import PIDS
from tests.lab.pods import (
    Json,
    Stage,
    container,
    is_ready,
    is_running,
    manifests,
    message,
    pod,
    reason,
    restarts,
    state_of,
    web,
    workload,
)
from tests.lab.world import OnHost, eventually

pytestmark = pytest.mark.hosts(3)


@pytest.fixture
def beside(stage: Stage) -> Iterator[list[OnHost]]:
    """A pod that nothing happens to: afterwards the same containers have run all the time."""
    if not (stage.world.folder / "beside.yaml").exists():
        stage.world.write("beside.yaml", manifests(pod("beside", container(), container("other"))))
    stage.up("beside")
    before = stage.containers("beside")
    starts = [stage.inspect("beside", name)["State"]["StartedAt"] for name in ("POD", "main", "other")]
    yield before
    assert stage.containers("beside") == before
    assert [stage.inspect("beside", name)["State"]["StartedAt"] for name in ("POD", "main", "other")] == starts


@pytest.mark.fault(54)
def test_a_container_that_exits_at_once_is_restarted_later_each_time(stage: Stage, beside: list[OnHost]) -> None:
    stage.put(pod("crashing", container("main", "echo last words; exit 7")))
    seen = stage.wait("crashing", lambda seen: reason(seen) == "CrashLoopBackOff" and restarts(seen) >= 1)
    assert state_of(seen)["lastState"]["terminated"]["exitCode"] == 7
    assert seen["status"]["phase"] == "Running"
    assert "last words" in stage.event("Exited", "crashing")["message"]
    stage.event("BackOff", "crashing")
    eventually(lambda: quiet(stage, "crashing"), what="the back-off")
    quick = len(starts(stage, "crashing"))
    assert quick <= 4, "the second restart waits; Docker's own may be faster than its cancelling once or twice"
    eventually(lambda: len(starts(stage, "crashing")) > quick, 14, "the restart after ten seconds")
    eventually(lambda: quiet(stage, "crashing"), what="the next back-off")
    later = len(starts(stage, "crashing"))
    assert later == quick + 1, "from now on Docker has no say"
    time.sleep(9)
    assert len(starts(stage, "crashing")) == later, "the next one waits for twenty seconds"
    assert reason(stage.pod("crashing")) == "CrashLoopBackOff"


def test_what_runs_well_after_crashes_is_left_to_docker_again_with_its_limits_as_they_were(stage: Stage) -> None:
    script = "echo x >> /runs/log; [ $(wc -l < /runs/log) -gt 2 ] || { sleep 1; exit 1; }; exec /bin/pause"
    runs = {"name": "runs", "emptyDir": {}}
    main = container(
        "main",
        script,
        volumeMounts=[{"name": "runs", "mountPath": "/runs"}],
        resources={"limits": {"memory": "64Mi", "cpu": "500m"}},
    )
    stage.put(pod("recovering", main, volumes=[runs]))
    stage.wait("recovering", lambda seen: restarts(seen) == 2 and is_running(seen))
    eventually(lambda: docker_policy(stage, "recovering") == "no", what="the start without Docker's policy")
    limits = stage.inside("recovering", "sh", "-c", LIMITS)
    eventually(lambda: docker_policy(stage, "recovering") == "unless-stopped", 20, "Docker's policy")
    assert stage.inside("recovering", "sh", "-c", LIMITS) == limits
    assert {str(64 << 20), "50000", str(PIDS)} <= set(limits.split())
    assert restarts(stage.pod("recovering")) == 2


LIMITS = """cd /sys/fs/cgroup
cat memory.max memory/memory.limit_in_bytes cpu.max cpu/cpu.cfs_quota_us pids.max pids/pids.max 2>/dev/null"""


def docker_policy(stage: Stage, name: str) -> str:
    return str(stage.inspect(name)["HostConfig"]["RestartPolicy"]["Name"])


def starts(stage: Stage, name: str, seconds: float = 600.0) -> list[str]:
    return stage.told(name, "{{.TimeNano}}", "event=start", seconds=seconds)


def quiet(stage: Stage, name: str) -> bool:
    """Not started for three seconds."""
    return not starts(stage, name, seconds=3.0)


def test_a_command_that_is_not_there(stage: Stage, beside: list[OnHost]) -> None:
    stage.put(workload("typo", container()))
    stage.up("typo")
    old = stage.container("typo").id
    stage.put(workload("typo", container(command=["/bin/no-such-program"])))
    eventually(
        lambda: any(
            "no-such-program" in message(each)
            and reason(each) in ("RunContainerError", "StartError", "CrashLoopBackOff")
            for each in stage.pods("typo")
        )
    )
    assert old in {each.id for each in stage.containers("typo") if each.state == "running"}


def test_an_image_that_is_not_there(stage: Stage, beside: list[OnHost]) -> None:
    stage.put(pod("absent", container(image="lab/absent:9"), container("fine")))
    stage.event("ErrImagePull", "lab/absent:9")
    seen = stage.wait("absent", lambda seen: reason(seen) == "ImagePullBackOff")
    assert "lab/absent:9" in message(seen)
    assert seen["status"]["phase"] == "Pending"


def test_killed_for_memory(stage: Stage, beside: list[OnHost]) -> None:
    small = {"limits": {"memory": "16Mi"}}
    stage.put(pod("hungry", container("main", "sleep 0.3; tail /dev/zero", resources=small)))
    seen = stage.wait(
        "hungry",
        lambda seen: state_of(seen).get("lastState", {}).get("terminated", {}).get("reason") == "OOMKilled",
    )
    assert state_of(seen)["lastState"]["terminated"]["exitCode"] == 137


def test_killed_for_memory_by_a_child_process_is_seen_in_a_pod_that_ends(stage: Stage) -> None:
    small = {"limits": {"memory": "16Mi"}}
    stage.put(pod("ended", container("main", "tail /dev/zero", resources=small), restartPolicy="Never"))
    stage.wait("ended", lambda seen: seen["status"]["phase"] == "Failed" and reason(seen) == "OOMKilled")


def test_one_that_ignores_sigterm_is_killed_when_its_grace_is_over(stage: Stage, beside: list[OnHost]) -> None:
    deaf = "trap '' TERM; while :; do sleep 1; done"
    stage.put(pod("deaf", container("main", deaf), terminationGracePeriodSeconds=2))
    stage.up("deaf")
    began = time.monotonic()
    stage.clear()
    stage.gone("deaf")
    assert 2 < time.monotonic() - began < 25
    assert stage.told("deaf", "{{.Actor.Attributes.exitCode}}", "event=die") == ["137"]


def test_one_that_forks_wildly_is_bounded_and_its_host_serves_on(stage: Stage, beside: list[OnHost]) -> None:
    """It forks until it may not any more, and no further: what is bounded here must not harm who runs the test."""
    stage.put(pod("wild", container("main", "sh -c 'while :; do sleep 300 & done' 2>/dev/null; exec sleep 300")))
    stage.up("wild")
    found = stage.container("wild").id
    eventually(lambda: int(stage.docker("stats", "--no-stream", "--format", "{{.PIDs}}", found)) > PIDS - 10)
    assert int(stage.docker("stats", "--no-stream", "--format", "{{.PIDs}}", found)) <= PIDS
    stage.put(pod("after", container()), file="after.yaml")
    stage.up("after")
    assert is_running(stage.pod("wild"))


@pytest.mark.fault(57)
@pytest.mark.parametrize("action", ["rm -f", "stop -t 1", "pause", "kill", "rename"])
def test_what_is_done_to_a_container_by_hand_is_undone(stage: Stage, beside: list[OnHost], action: str) -> None:
    name = "by-hand-" + action.split()[0]
    stage.put(pod(name, web("main"), container("other")))
    address = stage.up(name)["status"]["podIP"]
    target = stage.container(name)
    other = stage.container(name, "other")
    after = ["renamed-by-hand"] if action == "rename" else []
    stage.docker(*action.split(), target.id, *after)
    eventually(lambda: healed(stage, name, target.name), 20, f"healing after {action}")
    assert stage.up(name)["status"]["podIP"] == address
    assert stage.container(name, "other") == other, "the other container was left alone"
    answers(stage, name, address, "other")
    told = {each["reason"] for each in stage.running.events[stage.events_from :] if each["name"] == name}
    assert told & {"Restarting", "Restarted", "Repaired", "Started"}, told
    stage.docker("rm", "-f", "renamed-by-hand", check=False)


def answers(stage: Stage, name: str, address: str, of: str = "main") -> None:
    """Wait until the pod answers this container of its own: its server may just have been started."""
    ask = ("wget", "-qO-", f"http://{address}:8080/")
    eventually(lambda: stage.inside(name, *ask, name=of).startswith(f"pod={name}"), what=f"{name}'s answer")


def healed(stage: Stage, name: str, called: str) -> bool:
    found = [each for each in stage.containers(name) if each.labels["reconciler.dev/container"] == "main"]
    return [(each.name, each.state) for each in found] == [(called, "running")]


def test_pods_of_several_containers_survive_their_sandbox_being_stopped(stage: Stage) -> None:
    stage.put(pod("boxed", web("main"), container("other")))
    address = stage.up("boxed")["status"]["podIP"]
    sandbox = stage.container("boxed", "POD").id
    stage.docker("stop", "-t", "1", sandbox)
    eventually(lambda: in_one_network(stage, "boxed", address), 20, "all of them in one network again")


def in_one_network(stage: Stage, name: str, address: str) -> bool:
    """The sandbox and both containers run, and these have its address. Any may be made anew meanwhile."""
    found = stage.containers(name)
    inside = [each.id for each in found if each.labels["reconciler.dev/container"] != "POD"]
    return [each.state for each in found] == ["running"] * 3 and all(
        f"inet {address}/" in stage.docker("exec", each, "ip", "addr", check=False) for each in inside
    )


def test_dockerd_killed_and_started_again_under_running_pods(lab: Lab, stage: Stage) -> None:
    stage.put(
        pod("single", web("main")),
        pod("family", web("main"), container("other"), initContainers=[container("init", "exit 0")]),
    )
    before = {name: stage.up(name)["status"]["podIP"] for name in ("single", "family")}
    mark = stage.running.mark()
    host = lab.node("node-1")
    pid = host.status().dockerd
    assert pid is not None
    host.run(["sh", "-c", "kill -9 $(pidof dockerd) $(pidof containerd) 2>/dev/null || true"])
    stage.running.wait_for("NodeNotReady", "node-1", since=mark)
    host.start()
    stage.running.wait_for("NodeReady", "node-1", since=mark, timeout=30)
    for name, address in before.items():
        seen = stage.wait(name, lambda seen: is_ready(seen) and is_running(seen), 40)
        assert seen["status"]["podIP"] == address
        assert f"inet {address}/" in stage.inside(name, "ip", "addr")
        answers(stage, name, address)


@pytest.mark.fault(50)
def test_a_name_stuck_in_its_removal_does_not_block_the_pod(lab: Lab, stage: Stage) -> None:
    stage.put(pod("sticky", container()))
    stage.up("sticky")
    host = lab.node("node-1")
    stuck = stage.container("sticky").id
    kept = f"/var/lib/docker/containers/{stuck}/kept"
    host.run(["touch", kept])
    host.run(["chattr", "+i", kept])  # The engine can't remove its directory, nor put the container back.
    try:
        host.docker("rm", "-f", stuck, check=False)
        told = stage.docker("ps", "-a", "--no-trunc", "--filter", f"id={stuck}", "--format", "{{.Status}}")
        assert "Removal" in told or "Dead" in told
        eventually(lambda: works_without(stage, "sticky", stuck), 40, "a container in the stead of the stuck one")
    finally:
        host.run(["chattr", "-i", kept])
        host.docker("rm", "-f", stuck, check=False)
    assert is_ready(stage.up("sticky"))


def works_without(stage: Stage, name: str, stuck: str) -> bool:
    return any(each.state == "running" and each.id != stuck for each in stage.containers(name))


def test_a_place_on_the_network_that_somebody_took_away_is_given_back(stage: Stage) -> None:
    stage.put(pod("lone", web("main")), pod("pair", web("main"), container("other")))
    ips = {name: stage.up(name)["status"]["podIP"] for name in ("lone", "pair")}
    holders = {"lone": stage.container("lone").id, "pair": stage.container("pair", "POD").id}
    for holder in holders.values():
        stage.docker("network", "disconnect", "-f", "reconciler", holder)
    stage.docker(
        "network", "connect", "--ip", ips["lone"].rpartition(".")[0] + ".199", "reconciler", holders["lone"]
    )
    beside = stage.world.lab.node("node-2")
    ask = ["curl", "-s", "-m", "2", *(f"http://{ip}:8080/" for ip in ips.values())]
    eventually(lambda: beside.run(ask, check=False).stdout.count("version=1.0") == 2, what="both answer")
    for name in ips:
        assert "network reconciler" in stage.event("Restarting", name)["message"]
    assert stage.container("lone").id == holders["lone"], "nothing had to be stopped for it"


def test_limits_that_somebody_changed_are_put_back(stage: Stage) -> None:
    """What Docker cannot take away from a container that runs, a new one does not have."""
    limits = {"limits": {"cpu": "500m", "memory": "64Mi"}}
    stage.put(pod("limited", container(resources=limits)), pod("free", container()))
    before = {name: (stage.up(name), stage.inspect(name))[1] for name in ("limited", "free")}
    changed = ("--memory", "32m", "--memory-swap", "32m", "--pids-limit", "9", "--restart", "always")
    stage.docker("update", *changed, before["limited"]["Id"])
    stage.docker("update", "--cpus", "0.1", "--memory", "64m", "--memory-swap", "64m", before["free"]["Id"])
    wanted = {name: limits_of(was) for name, was in before.items()}
    eventually(lambda: {name: limits_of(*now(stage, name)) for name in wanted} == wanted)
    for name in wanted:
        assert "limits of container main" in stage.event("Restarting", name)["message"]
    assert stage.inspect("limited")["Id"] == before["limited"]["Id"], "nothing had to be stopped for it"


UPDATABLE = (
    *("NanoCpus", "CpuShares", "CpuPeriod", "CpuQuota", "CpusetCpus", "Memory", "MemorySwap"),
    *("MemoryReservation", "PidsLimit", "RestartPolicy"),
)


def limits_of(*inspected: Json) -> Json:
    return {field: each["HostConfig"][field] for each in inspected for field in UPDATABLE}


def now(stage: Stage, name: str) -> list[Json]:
    """Its container as Docker has it, or none while it is made anew."""
    listed = stage.docker("ps", "-q", "--filter", f"label=reconciler.dev/pod={name}").split()
    found: list[Json] = json.loads(stage.docker("inspect", *listed, check=False) or "[]") if listed else []
    return found


@pytest.mark.fault(6)
def test_a_manifest_that_is_being_written_or_was_emptied_takes_no_pod_away(stage: Stage) -> None:
    stage.put(pod("kept", container()), file="kept.yaml")
    stage.up("kept")
    before = stage.container("kept")
    manifest = stage.world.folder / "kept.yaml"
    text = manifest.read_text()
    mark = stage.running.mark()
    with manifest.open("w") as file:  # The shell empties it before the program has written a byte.
        stage.running.wait_for("Unavailable", "kept.yaml is still being written", since=mark)
        file.write(text)
    stage.running.accepted(since=mark)
    manifest.write_text("")
    emptied = stage.running.wait_for("Problem", "kept.yaml  the file holds no object, and held", since=mark)
    manifest.write_text(text)
    stage.running.accepted(since=stage.running.events.index(emptied))
    assert stage.container("kept") == before
    assert not [e for e in stage.running.events[mark:] if e["reason"] == "Killing" and e["name"] == "kept"]
    stage.clear("kept.yaml")
    stage.gone("kept")
