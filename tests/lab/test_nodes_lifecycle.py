"""Containers of real engines through their life: hooks, crashes and how they are told, holds, ends, identities."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.lab import Lab
from reconciler.model.container_config import ContainerConfig, HostNetwork
from reconciler.model.names import LABEL_IP, Ref
from reconciler.model.observed import ObservedContainer, Probed
from reconciler.model.operations import (
    ContainerStop,
    CreateContainer,
    HoldContainer,
    PodWork,
    RemoveContainer,
    StartContainer,
    StopContainers,
)
from reconciler.model.probes import GetUrl, Hook, RunCommand, Wait
from tests.lab.world import eventually
from tests.node_host import Host, connect, labels, node_of, sandbox, set_up, started

DEAF = "trap '' TERM; while :; do sleep 1; done"


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    with set_up(connect(node_of(lab), lab)) as host:
        yield host


def running(script: str, name: str = "web_POD", ip: str = "10.244.9.2", **other: Any) -> ContainerConfig:
    return sandbox(name=name, ip=ip, image="lab/busybox:1", command=("sh", "-c", script), **other)


def seen(host: Host, name: str = "web_POD") -> ObservedContainer:
    found = host.container(name)
    assert found is not None
    return found


def stop(host: Host, grace: int, *stops: ContainerStop) -> float:
    began = time.monotonic()
    assert host.do("u1", StopContainers(stops, grace)).failed is None
    return time.monotonic() - began


def test_a_crash_is_told_with_its_exit_code_and_last_lines_also_after_docker_started_it_again(host: Host) -> None:
    lines = "for i in $(seq 20); do echo line $i; done; printf '\\033[31m'"
    script = f"[ -e /once ] && exec sleep 1000; touch /once; {lines}; exit 7"
    host.do("u1", *started(running(script)))
    host.told.wait_for(lambda: seen(host).state == "running" and seen(host).restart_count == 1)
    host.told.wait_for(lambda: seen(host).last_end is not None)
    end = seen(host).last_end
    assert end is not None
    assert (end.exit_code, end.oom_killed) == (7, False)
    assert end.at < seen(host).started_at
    assert end.log.startswith("line 12\n")
    assert end.log.endswith("line 20\n\\x1b[31m")


def test_a_success_is_told_without_its_log_and_oom_by_its_name(host: Host) -> None:
    host.do("u1", *started(running("echo fine", restart_policy="Never")))
    host.told.wait_for(lambda: seen(host).state == "exited")
    end = seen(host).last_end
    assert end is not None
    assert (end.exit_code, end.log) == (0, "")
    host.do("u1", RemoveContainer("web_POD", "u1"))
    hungry = running("sh -c 'x=0123456789; while :; do x=$x$x; done'", memory_limit_bytes=8 << 20)
    host.do("u1", *started(hungry))
    host.told.wait_for(lambda: (end := seen(host).last_end) is not None and end.oom_killed)
    host.told.wait_for(lambda: seen(host).restart_count >= 1)
    assert seen(host).last_end is not None
    stop(host, 1, ContainerStop("web_POD"))


def test_a_held_container_stays_down_until_it_is_started(host: Host) -> None:
    host.do("u1", *started(running("exit 3")))
    host.told.wait_for(lambda: seen(host).state == "restarting" and seen(host).restart_count >= 4)
    # Docker waits for 1.6 s by now: held any later, it has escaped.
    assert host.do("u1", HoldContainer("web_POD")).failed is None
    held = seen(host)
    assert (held.state, held.exit_code) == ("exited", 3)
    time.sleep(4)
    assert seen(host) == held
    assert host.do("u1", StartContainer("web_POD")).failed is None
    host.told.wait_for(lambda: seen(host).state == "restarting")
    assert seen(host).run != held.run


def test_hooks_are_run_and_a_failing_one_says_why(lab: Lab, host: Host) -> None:
    config = running(
        "mkdir /www; echo hi > /www/x; httpd -p 8000 -h /www; exec sleep 1000",
        restart_policy="Never",
        stop_grace_seconds=1,
    )
    good: list[Hook] = [RunCommand(("sh", "-c", "echo out; echo $HOSTNAME > /hooked")), Wait(1)]
    for hook in good:
        assert host.do("u1", CreateContainer(config), StartContainer("web_POD", hook)).failed is None
    assert lab.nodes[0].docker("exec", "web_POD", "cat", "/hooked").stdout == "web\n"
    asked = ["curl", "-sf", "-m", "5", "http://10.244.9.2:8000/x"]
    eventually(lambda: lab.nodes[0].run(asked, check=False).stdout == "hi\n", what="an answer")
    for path in ("/x", "/missing"):
        got = StartContainer("web_POD", GetUrl("http", "10.244.9.2", 8000, path, (("X-A", "b"),)))
        assert host.do("u1", got).failed is None
    bad: dict[str, Hook] = {
        "exited 5: no luck": RunCommand(("sh", "-c", "echo no luck >&2; exit 5")),
        "10.244.9.2:8001": GetUrl("http", "10.244.9.2", 8001),
        "nothing-of-that-name": RunCommand(("nothing-of-that-name",)),
        "https://": GetUrl("https", "10.244.9.2", 8000),
    }
    for said, hook in bad.items():
        outcome = host.do("u1", StartContainer("web_POD", hook))
        assert outcome.reason == "FailedPostStartHook"
        assert said in outcome.message
        assert seen(host).state == "exited"


@pytest.mark.fault(43)
def test_many_hooks_that_take_long_keep_no_channel_from_others(host: Host) -> None:
    names = [f"web_{number}" for number in range(6)]
    for number, name in enumerate(names):
        host.do("u1", *started(running("exec sleep 1000", name, f"10.244.9.{10 + number}")))
    before = len(host.told.outcomes)
    stops = StopContainers(tuple(ContainerStop(name, RunCommand(("sleep", "15"))) for name in names), 18)
    host.session.submit(PodWork(host.session.name, Ref("Pod", "default", "web"), "u1", (stops,)))
    time.sleep(0.5)
    host.session.submit(
        PodWork(host.session.name, Ref("Pod", "default", "other"), "u2", started(sandbox("u2", "other_POD")))
    )
    host.told.wait_for(lambda: len(host.told.outcomes) > before)
    assert host.told.outcomes[-1].work.uid == "u2"
    assert host.told.outcomes[-1].failed is None
    host.told.wait_for(lambda: len(host.told.outcomes) > before + 1)
    assert host.told.outcomes[-1].failed is None
    assert {seen(host, name).state for name in names} == {"exited"}


def test_the_grace_period_is_one_for_hook_signal_and_all_containers(host: Host) -> None:
    for number, name in enumerate(("web_a", "web_b", "web_c")):
        host.do("u1", *started(running(DEAF, name, f"10.244.9.{2 + number}")))
    began = time.monotonic()
    both = tuple(ContainerStop(name, RunCommand(("sleep", "100"))) for name in ("web_a", "web_b"))
    work = (StopContainers(both, 3), StopContainers((ContainerStop("web_c"),), 3))
    assert host.do("u1", *work).failed is None
    # The hooks take all of it; then 2 s to end in, and as much for the container after them.
    assert 6 < time.monotonic() - began < 20
    assert {seen(host, name).exit_code for name in ("web_a", "web_b", "web_c")} == {137}


def test_who_may_not_be_root_is_not(lab: Lab, host: Host) -> None:
    lab.nodes[0].docker("run", "--name", "made", "lab/busybox:1", "true")
    lab.nodes[0].docker("commit", "-c", "USER web", "made", "lab/user:named")
    lab.nodes[0].docker("commit", "-c", "USER 1000", "made", "lab/user:number")
    try:
        for image, user, words in (
            ("lab/busybox:1", "", "will run as root"),
            ("lab/user:number", "0:5", "will run as root"),
            ("lab/user:named", "", "non-numeric user (web)"),
        ):
            outcome = host.do("u1", CreateContainer(sandbox(image=image, user=user, must_not_be_root=True)))
            assert outcome.reason == "CreateContainerConfigError"
            assert words in outcome.message
        for image, user in (("lab/user:number", ""), ("lab/busybox:1", "12")):
            config = sandbox(image=image, user=user, must_not_be_root=True)
            assert host.do("u1", CreateContainer(config), RemoveContainer("web_POD", "u1")).failed is None
    finally:
        lab.nodes[0].docker("rm", "made")
        lab.nodes[0].docker("rmi", "lab/user:named", "lab/user:number")


def test_a_pod_on_its_hosts_network_has_the_hosts_address_and_is_found_listening(lab: Lab, host: Host) -> None:
    ip = lab.records[0].ip
    known = {**labels("u1", "app"), LABEL_IP: ip}
    config = ContainerConfig("web_app", "lab/pause:1", known, HostNetwork(ip))
    assert host.do("u1", *started(config)).failed is None
    found = seen(host, "web_app")
    assert found.ip == ip
    assert found.image_id.startswith("sha256:")


def test_what_the_prober_says_counts_for_the_run_it_speaks_of(host: Host) -> None:
    host.do("u1", *started(sandbox()))
    found = seen(host)
    cache = host.session._cache  # type: ignore[attr-defined]
    cache.record_probes({found.id: (found.run, Probed(started=True, ready=True))})
    assert seen(host).probed == Probed(started=True, ready=True)
    stop(host, 1, ContainerStop("web_POD"))
    host.do("u1", StartContainer("web_POD"))
    assert seen(host).probed is None
