"""What the control loop relies on in a NodeSession: a simulated host and a real one pass the same tests."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from reconciler.lab import Lab
from reconciler.model.addresses import socket_address
from reconciler.model.names import SANDBOX, Ref
from reconciler.model.operations import (
    ContainerStop,
    CreateContainer,
    HoldContainer,
    MakeDirectory,
    Operation,
    PodWork,
    PullImage,
    RemoveContainer,
    RemoveFiles,
    RemoveVolume,
    RenameContainer,
    StartContainer,
    StopContainers,
    VolumeFile,
    WriteFiles,
)
from reconciler.model.probes import RunCommand
from tests.fake_node import FakeNodeSession, in_a_thread
from tests.lab.conftest import restore
from tests.lab.world import eventually
from tests.node_host import CLUSTER, IMAGES, Host, Recorder, app, connect, node_of, sandbox, set_up, setup, started


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.lab)])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    if request.param == "simulated":
        told = Recorder()
        host = Host(FakeNodeSession("node-1", CLUSTER, told, IMAGES, run=in_a_thread), told)
    else:
        lab: Lab = request.getfixturevalue("lab")
        restore(lab)
        host = connect(node_of(lab), lab)
    with set_up(host):
        yield host


def test_a_pod_is_made_seen_and_removed(host: Host) -> None:
    assert host.do("u1", *started(sandbox()), *started(app())).failed is None
    seen = host.container("web_POD")
    assert seen is not None
    assert (seen.state, seen.uid, seen.pod, seen.container) == ("running", "u1", "web", SANDBOX)
    assert (seen.owner, seen.hash, seen.image, seen.ip) == (
        "Deployment/web",
        "0123456789",
        "lab/pause:1",
        "10.244.9.2",
    )
    stops = [StopContainers((ContainerStop(name),), 1) for name in ("web_app", "web_POD")]
    removals = [RemoveContainer(name, "u1") for name in ("web_app", "web_POD")]
    assert host.do("u1", *stops).failed is None
    stopped = host.container("web_app")
    assert stopped is not None
    assert stopped.state == "exited"
    assert host.do("u1", *removals).failed is None
    assert host.container("web_app") is None


def test_every_operation_may_be_repeated(host: Host) -> None:
    assert host.do("u1", *started(sandbox())).failed is None
    first = host.container("web_POD")
    assert host.do("u1", *started(sandbox())).failed is None
    assert host.container("web_POD") == first
    for _ in range(2):
        assert (
            host.do("u1", StopContainers((ContainerStop("web_POD"),), 1), RemoveContainer("web_POD", "u1")).failed
            is None
        )
        assert host.container("web_POD") is None


@pytest.mark.fault(56)
@pytest.mark.rule(9)
def test_a_container_of_another_pod_is_neither_adopted_nor_removed(host: Host) -> None:
    host.do("u1", *started(sandbox("u1")))
    mine = host.container("web_POD")
    for operation in (
        CreateContainer(sandbox("u2")),
        StopContainers((ContainerStop("web_POD"),), 1),
        RemoveContainer("web_POD", "u2"),
    ):
        outcome = host.do("u2", operation)
        assert outcome.failed == operation
        assert "u1" in outcome.message
        assert not outcome.unknown
    assert host.container("web_POD") == mine


def test_the_first_failure_ends_the_work_and_says_which(host: Host) -> None:
    missing = CreateContainer(app(image="lab/none:9"))
    outcome = host.do("u1", *started(sandbox()), missing, StartContainer("web_app"))
    assert outcome.failed == missing
    assert outcome.reason == "ErrImagePull"
    assert "lab/none:9" in outcome.message
    assert host.container("web_app") is None


def test_an_image_that_no_registry_has_is_told_in_words(host: Host) -> None:
    pull = PullImage("127.0.0.1:9/none:1")
    outcome = host.do("u1", pull, CreateContainer(sandbox()))
    assert (outcome.failed, outcome.reason) == (pull, "ErrImagePull")
    assert "127.0.0.1:9/none:1" in outcome.message
    assert host.container("web_POD") is None


@pytest.mark.fault(51)
def test_a_host_port_in_use_names_its_holder(host: Host) -> None:
    assert host.do("u1", *started(sandbox(host_port=31999))).failed is None
    assert host.look().used_ports == {31999: "web_POD"}
    other = sandbox("u2", "other_POD", "10.244.9.3", host_port=31999)
    outcome = host.do("u2", *started(other))
    assert (outcome.failed, outcome.reason) == (StartContainer("other_POD"), "PortConflict")
    assert "web_POD" in outcome.message


def test_a_port_that_answers_is_listening_until_its_container_ends(host: Host) -> None:
    host.ensure(setup(checks=frozenset({socket_address("10.244.9.2:8080")})))
    assert host.look().listening == frozenset()
    host.do("u1", *started(sandbox()), *started(app()))
    host.told.wait_for(lambda: host.look().listening == {socket_address("10.244.9.2:8080")})
    host.do("u1", StopContainers((ContainerStop("web_app"),), 1), StopContainers((ContainerStop("web_POD"),), 1))
    assert host.look().listening == frozenset()


def test_the_newest_proxy_configuration_comes_in_force(host: Host) -> None:
    for number in range(5):
        host.ensure(setup(f"many-{number}"))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "many-4")
    proxy = host.look().proxy
    assert (proxy.running, proxy.error, proxy.routed) == (True, "", frozenset({"10.244.9.2"}))
    assert host.look().network.fingerprint


@pytest.mark.fault(66)
def test_a_configuration_that_haproxy_refuses_never_comes_in_force(host: Host) -> None:
    host.ensure(setup("bad", extra="    nonsense here\n"))
    host.told.wait_for(lambda: bool(host.look().proxy.error))
    proxy = host.look().proxy
    assert (proxy.running, proxy.fingerprint) == (True, "one")
    assert "nonsense" in proxy.error
    host.ensure(setup("two"))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "two")
    assert host.look().proxy.error == ""


def test_files_and_directories_are_seen_from_their_making_to_their_removal(host: Host) -> None:
    written = WriteFiles("u1", "config", (VolumeFile("a.conf", "one", 0o644),), "f1")
    assert host.do("u1", written, MakeDirectory("u1", "cache"), MakeDirectory("u2", "fast", True)).failed is None
    seen = host.look()
    assert seen.files == {"u1/config": "f1", "u2/fast": "memory"}
    assert seen.directories == {"u1", "u2"}
    changed = WriteFiles("u1", "config", (VolumeFile("a.conf", "two", 0o644),), "f2")
    for _ in range(2):
        assert host.do("u1", changed, MakeDirectory("u1", "cache")).failed is None
        assert host.look().files["u1/config"] == "f2"
    for _ in range(2):
        assert host.do("u1", RemoveFiles("u1")).failed is None
        assert host.look().files == {"u2/fast": "memory"}
        assert host.look().directories == {"u2"}
    assert host.do("u2", RemoveFiles("u2")).failed is None


def test_a_container_whose_post_start_hook_fails_does_not_run_on(host: Host) -> None:
    hooked = StartContainer("web_POD", RunCommand(("false",)))
    outcome = host.do("u1", CreateContainer(sandbox(restart_policy="Never")), hooked)
    assert (outcome.failed, outcome.reason) == (hooked, "FailedPostStartHook")
    seen = host.container("web_POD")
    assert seen is not None
    assert seen.state == "exited"
    assert host.do("u1", StartContainer("web_POD", RunCommand(("true",)))).failed is None


def test_several_containers_stop_at_the_same_time_and_their_ends_are_told(host: Host) -> None:
    host.do("u1", *started(sandbox()), *started(app()))
    began = time.monotonic()
    stops = tuple(ContainerStop(name, RunCommand(("sleep", "1"))) for name in ("web_app", "web_POD"))
    assert host.do("u1", StopContainers(stops, 10)).failed is None
    assert time.monotonic() - began < 8
    for name in ("web_app", "web_POD"):
        seen = host.container(name)
        assert seen is not None
        assert seen.state == "exited"
        assert seen.last_end is not None
        assert (seen.last_end.exit_code, seen.last_end.at) == (seen.exit_code, seen.finished_at)


def test_what_is_not_there_needs_no_holding_and_no_removal(host: Host) -> None:
    host.do("u1", *started(sandbox()))
    running = host.container("web_POD")
    nothing = (HoldContainer("web_app"), HoldContainer("web_POD"), RemoveVolume("none"), RemoveFiles("u9"))
    assert host.do("u1", *nothing).failed is None
    assert host.container("web_POD") == running


def test_nothing_is_told_while_nothing_changes(host: Host) -> None:
    host.do("u1", *started(sandbox()))
    host.told.wait_for(lambda: host.container("web_POD") is not None)

    def is_quiet() -> bool:
        before = host.told.observed_count
        time.sleep(0.5)
        return host.told.observed_count == before

    eventually(is_quiet, what="an end of the news")
    assert is_quiet()


def test_a_container_gets_its_name_back(host: Host) -> None:
    host.do("u1", *started(sandbox()))
    made = host.container("web_POD")
    assert made is not None
    for name in ("by_hand", "web_POD"):
        assert host.do("u1", RenameContainer(made.id, name)).failed is None
    again = host.container("web_POD")
    assert again is not None
    assert (again.id, again.started_at) == (made.id, made.started_at)


def test_a_container_cannot_join_the_network_of_one_that_does_not_run(host: Host) -> None:
    host.do("u1", CreateContainer(sandbox()))
    outcome = host.do("u1", *started(app()))
    assert (outcome.failed, outcome.reason) == (StartContainer("web_app"), "RunContainerError")
    assert "network" in outcome.message
    assert host.do("u1", StartContainer("web_POD"), StartContainer("web_app")).failed is None


# While work is under way


def slowly(seconds: int, *names: str) -> StopContainers:
    """Stops containers whose hooks take so long."""
    return StopContainers(tuple(ContainerStop(name, RunCommand(("sleep", str(seconds)))) for name in names), 20)


def begin(host: Host, uid: str, *operations: Operation) -> None:
    """Have it done, and wait until it is under way."""
    host.session.submit(PodWork("node-1", Ref("Pod", "default", "web"), uid, operations))
    host.told.wait_for(lambda: uid in host.look().busy)


def test_a_pod_is_busy_until_its_work_has_ended(host: Host) -> None:
    host.do("u1", *started(sandbox()), *started(app()))
    before = len(host.told.outcomes)
    begin(host, "u1", slowly(1, "web_app"))
    running = host.container("web_app")
    assert running is not None
    assert (running.state, host.look().busy, len(host.told.outcomes)) == ("running", frozenset({"u1"}), before)
    host.told.wait_for(lambda: len(host.told.outcomes) > before)
    ended = host.container("web_app")
    assert ended is not None
    assert (ended.state, host.look().busy) == ("exited", frozenset())


def test_one_pod_does_not_wait_for_another_ones_work(host: Host) -> None:
    host.do("u1", *started(sandbox()))
    host.do("u2", *started(sandbox("u2", "other_POD", "10.244.9.3")))
    before = len(host.told.outcomes)
    begin(host, "u1", slowly(5, "web_POD"))
    begin(host, "u2", slowly(1, "other_POD"))
    assert host.look().busy == {"u1", "u2"}
    host.told.wait_for(lambda: len(host.told.outcomes) == before + 1)
    assert (host.told.outcomes[-1].work.uid, host.look().busy) == ("u2", frozenset({"u1"}))
    host.told.wait_for(lambda: len(host.told.outcomes) == before + 2)


@pytest.fixture
def cable(host: Host, request: pytest.FixtureRequest) -> Iterator["Cable"]:
    """The way to the host."""
    session = host.session
    if isinstance(session, FakeNodeSession):
        yield Cable(session.lose, session.return_)
    else:
        lab: Lab = request.getfixturevalue("lab")
        name = lab.records[0].name
        yield Cable(lambda: lab.act("cut", name), lambda: lab.act("heal", name))
        lab.act("heal", name)


class Cable(NamedTuple):
    pull: Callable[[], object]
    plug_in: Callable[[], object]


@pytest.mark.fault(41)
def test_a_work_whose_reply_is_lost_has_no_known_outcome_and_may_be_done_again(host: Host, cable: Cable) -> None:
    host.do("u1", *started(sandbox()))
    before = len(host.told.outcomes)
    begin(host, "u1", slowly(3, "web_POD"), RemoveContainer("web_POD", "u1"))
    cable.pull()
    host.told.wait_for(lambda: len(host.told.outcomes) > before)
    outcome = host.told.outcomes[-1]
    assert outcome.failed is not None
    assert outcome.unknown, outcome.message
    host.lost()
    cable.plug_in()
    host.found()
    host.told.wait_for(lambda: host.session.seat.granted == 1)
    assert host.container("web_POD") is not None
    again = StopContainers((ContainerStop("web_POD"),), 1), RemoveContainer("web_POD", "u1")
    assert host.do("u1", *again).failed is None
    assert host.container("web_POD") is None


# Several reconcilers at one host


@pytest.fixture
def beside(host: Host, request: pytest.FixtureRequest) -> Iterator[Host]:
    """Another reconciler's session to the same host."""
    if isinstance(host.session, FakeNodeSession):
        told = Recorder()
        mine = host.session
        other = Host(FakeNodeSession("node-1", CLUSTER, told, IMAGES, mine.lease, mine.host, in_a_thread), told)
    else:
        lab: Lab = request.getfixturevalue("lab")
        other = connect(node_of(lab), lab, lead=False)
    try:
        other.found()
        yield other
    finally:
        other.session.close()


def owner_and_epoch(host: Host) -> tuple[str, int]:
    lease = host.session.seat.lease
    return (lease.owner, lease.epoch) if lease is not None and lease.live else ("", 0)


def test_a_host_that_is_led_is_seen_to_be_and_refused_to_others(host: Host, beside: Host) -> None:
    assert owner_and_epoch(beside) == ("tests", 1)
    assert beside.lead(1, "other") == 0
    assert beside.lead(2, "other") == 0
    assert owner_and_epoch(beside) == ("tests", 1)
    outcome = beside.do("u1", *started(sandbox()))
    assert outcome.failed is not None
    assert outcome.reason == "NotLeading"
    assert host.do("u1", *started(sandbox())).failed is None


@pytest.mark.fault(78)
def test_who_takes_a_host_over_has_it_and_the_one_before_does_nothing_more(host: Host, beside: Host) -> None:
    assert host.do("u1", *started(sandbox())).failed is None
    assert beside.lead(2, "other", take_over=True) == 2
    before = len(host.told.outcomes)
    host.session.submit(PodWork("node-1", Ref("Pod", "default", "web"), "u1", started(app())))
    host.told.wait_for(lambda: len(host.told.outcomes) > before)
    assert host.told.outcomes[-1].failed is not None
    host.told.wait_for(lambda: host.session.seat.granted == 0)
    host.told.wait_for(lambda: owner_and_epoch(host) == ("other", 2))
    host.found()
    assert host.container("web_app") is None
    assert host.lead(2) == 0
    assert beside.do("u1", *started(app())).failed is None


def test_a_lease_that_is_given_back_is_free(host: Host, beside: Host) -> None:
    host.session.lead(None)
    beside.told.wait_for(lambda: owner_and_epoch(beside) == ("", 0))
    assert beside.lead(2, "other") == 2
    assert beside.do("u1", *started(sandbox())).failed is None


def test_a_session_at_rest_keeps_the_host_and_begins_nothing(host: Host, beside: Host) -> None:
    host.session.rest()
    assert host.do("u1", *started(sandbox())).failed is not None
    assert beside.lead(2, "other") == 0
    assert host.lead(2) == 2
    assert host.do("u1", *started(sandbox())).failed is None


def test_a_session_that_is_stopped_in_the_middle_of_a_work_says_no_more_and_begins_no_more(
    host: Host, beside: Host
) -> None:
    host.do("u1", *started(sandbox()))
    before = len(host.told.outcomes)
    begin(host, "u1", slowly(2, "web_POD"), RemoveContainer("web_POD", "u1"))
    host.session.stop()
    host.session.close()
    time.sleep(3)
    assert len(host.told.outcomes) == before
    assert beside.container("web_POD") is not None
