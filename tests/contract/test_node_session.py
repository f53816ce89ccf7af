"""What the control loop relies on in a NodeSession; the fake in memory and a real host pass the same tests."""

import time
from collections.abc import Iterator

import pytest

from reconciler.lab import Lab
from reconciler.model.names import SANDBOX
from reconciler.model.operations import (
    ContainerStop,
    CreateContainer,
    PullImage,
    RemoveContainer,
    StartContainer,
    StopContainers,
)
from tests.fake_node import FakeNodeSession
from tests.lab.conftest import restore
from tests.node_host import CLUSTER, IMAGES, Host, Recorder, app, connect, node_of, sandbox, set_up, setup, started


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.lab)])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    if request.param == "fake":
        told = Recorder()
        host = Host(FakeNodeSession("node-1", CLUSTER, told, IMAGES), told)
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


def test_a_host_port_in_use_names_its_holder(host: Host) -> None:
    assert host.do("u1", *started(sandbox(host_port=31999))).failed is None
    assert host.look().used_ports == {31999: "web_POD"}
    other = sandbox("u2", "other_POD", "10.244.9.3", host_port=31999)
    outcome = host.do("u2", *started(other))
    assert (outcome.failed, outcome.reason) == (StartContainer("other_POD"), "PortConflict")
    assert "web_POD" in outcome.message


def test_a_port_that_answers_is_listening_until_its_container_ends(host: Host) -> None:
    host.ensure(setup(checks=frozenset({"10.244.9.2:8080"})))
    assert host.look().listening == frozenset()
    host.do("u1", *started(sandbox()), *started(app()))
    host.told.wait_for(lambda: host.look().listening == {"10.244.9.2:8080"})
    host.do("u1", StopContainers((ContainerStop("web_app"),), 1), StopContainers((ContainerStop("web_POD"),), 1))
    assert host.look().listening == frozenset()


def test_the_newest_proxy_configuration_comes_in_force(host: Host) -> None:
    for number in range(5):
        host.ensure(setup(f"many-{number}"))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "many-4")
    proxy = host.look().proxy
    assert (proxy.running, proxy.error, proxy.routed) == (True, "", frozenset({"10.244.9.2"}))
    assert host.look().network.fingerprint


def test_a_configuration_that_haproxy_refuses_never_comes_in_force(host: Host) -> None:
    host.ensure(setup("bad", extra="    nonsense here\n"))
    host.told.wait_for(lambda: bool(host.look().proxy.error))
    proxy = host.look().proxy
    assert (proxy.running, proxy.fingerprint) == (True, "one")
    assert "nonsense" in proxy.error
    host.ensure(setup("two"))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "two")
    assert host.look().proxy.error == ""


def test_nothing_is_told_while_nothing_changes(host: Host) -> None:
    host.do("u1", *started(sandbox()))
    host.told.wait_for(lambda: host.container("web_POD") is not None)
    time.sleep(0.3)
    before = host.told.observed_count
    time.sleep(0.5)
    assert host.told.observed_count == before
