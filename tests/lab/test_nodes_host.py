"""What a session does to a real host: what is not ours stays as it is, and `reset_node` takes the rest away."""

import time
from collections.abc import Iterator

import msgspec
import pytest

from reconciler.lab import Lab
from reconciler.model.api.cluster import Cluster, ClusterSpec, Sync
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.names import LABEL_CLUSTER, LABEL_UID
from reconciler.model.operations import ContainerStop, CreateContainer, RemoveContainer, StopContainers
from reconciler.model.setups import NodeSetup, Route
from reconciler.nodes import reset_node
from tests.node_host import (
    CLUSTER,
    RESETTER,
    Host,
    app,
    connect,
    credentials_of,
    node_of,
    sandbox,
    set_up,
    setup,
    started,
)


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    with set_up(connect(node_of(lab), lab)) as host:
        yield host


def test_a_container_removed_by_hand_is_seen_at_once(lab: Lab) -> None:
    """The engine tells: no look at the whole host is waited for."""
    with set_up(connect(node_of(lab), lab, spec=ClusterSpec(sync=Sync(relist_seconds=3600)))) as host:
        host.do("u1", *started(sandbox()))
        lab.nodes[0].docker("rm", "-f", "web_POD")
        host.told.wait_for(lambda: host.container("web_POD") is None, 5)


@pytest.fixture
def look_alikes(lab: Lab) -> Iterator[None]:
    docker = lab.nodes[0].docker
    docker("run", "-d", "--name", "web_POD", "--label", f"{LABEL_UID}=u1", "lab/pause:1")
    docker("run", "-d", "--name", "other", "--label", f"{LABEL_CLUSTER}=another", "lab/pause:1")
    yield
    docker("rm", "-f", "web_POD", "other")


@pytest.mark.fault(56)
@pytest.mark.rule(9)
@pytest.mark.usefixtures("look_alikes")
def test_foreign_look_alikes_are_untouched(lab: Lab, host: Host) -> None:
    docker = lab.nodes[0].docker
    for operation in (
        CreateContainer(sandbox()),
        StopContainers((ContainerStop("web_POD"),), 1),
        RemoveContainer("web_POD", "u1"),
    ):
        outcome = host.do("u1", operation)
        assert outcome.failed == operation
        assert "left alone" in outcome.message
    assert {found.name for found in host.look().containers} == {f"{CLUSTER}_proxy"}
    host.session.close()
    reset_node(node_of(lab), Cluster(ObjectMeta(CLUSTER)), credentials_of(lab), RESETTER)
    assert set(docker("ps", "--format", "{{.Names}}").stdout.split()) == {"web_POD", "other"}


@pytest.mark.rule(9)
def test_reset_removes_all_that_is_ours_and_only_that(lab: Lab, host: Host) -> None:
    machine = lab.nodes[0]
    machine.run(["ip", "route", "add", "10.50.0.0/24", "via", lab.records[1].ip])
    machine.run(["iptables", "-A", "FORWARD", "-s", "10.51.0.0/24", "-j", "ACCEPT"])
    machine.run(["mkdir", "-p", "/var/lib/reconciler/another"])
    routed = setup("routed")
    host.ensure(_with_route(routed, "10.244.8.0/24", lab.records[1].ip))
    host.do("u1", *started(sandbox()), *started(app()))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "routed")
    assert "10.244.8.0/24" in _state(lab)
    host.session.close()
    removed = reset_node(node_of(lab), Cluster(ObjectMeta(CLUSTER)), credentials_of(lab), RESETTER)
    assert {"container web_POD", "container web_app", "Docker network reconciler"} <= set(removed)
    assert "route to 10.244.8.0/24" in removed
    assert reset_node(node_of(lab), Cluster(ObjectMeta(CLUSTER)), credentials_of(lab), RESETTER) == []
    assert "rcn" not in _state(lab)
    assert "RECONCILER" not in _state(lab)
    assert "10.50.0.0/24" in _state(lab)
    assert "10.51.0.0/24" in _state(lab)
    assert machine.run(["ls", "/var/lib/reconciler"]).stdout.split() == ["another"]
    machine.run(["ip", "route", "del", "10.50.0.0/24"])
    machine.run(["iptables", "-D", "FORWARD", "-s", "10.51.0.0/24", "-j", "ACCEPT"])


def test_what_is_changed_by_hand_in_the_network_is_repaired_by_the_next_look(lab: Lab, host: Host) -> None:
    machine = lab.nodes[0]
    machine.run(["ip", "addr", "del", "10.96.0.10/32", "dev", "rcn-svc"])
    machine.run(["iptables", "-F", "RECONCILER-FWD"])
    host.session.close()
    again = connect(node_of(lab), lab)
    try:
        again.found()
        again.ensure(setup())
        again.told.wait_for(lambda: bool(again.look().network.fingerprint))
        assert "10.96.0.10" in machine.run(["ip", "addr", "show", "dev", "rcn-svc"]).stdout
        assert "ACCEPT" in machine.run(["iptables", "-S", "RECONCILER-FWD"]).stdout
    finally:
        again.session.close()


def test_a_port_that_someone_else_holds_is_left_out_and_all_the_rest_is_served(lab: Lab, host: Host) -> None:
    host.ensure(setup("taken", extra="listen default_ssh_tcp\n    bind 0.0.0.0:22\n"))
    host.told.wait_for(lambda: bool(host.look().proxy.error), 20)
    proxy = host.look().proxy
    assert proxy.fingerprint == ""
    assert proxy.routed == {"10.244.9.2"}
    assert "0.0.0.0:22 (held by sshd)" in proxy.error
    live = lab.nodes[0].run(["cat", f"/var/lib/reconciler/{CLUSTER}/proxy/haproxy.cfg"]).stdout
    assert "listen default_ssh_tcp" in live
    assert "bind 0.0.0.0:22" not in live
    host.ensure(setup("free"))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "free")


def test_a_container_in_a_crash_loop_can_be_stopped_and_stays_so(host: Host) -> None:
    crashing = msgspec.structs.replace(sandbox(), image="lab/busybox:1", command=("sh", "-c", "exit 3"))
    host.do("u1", *started(crashing))
    host.told.wait_for(lambda: (seen := host.container("web_POD")) is not None and seen.restart_count > 1)
    assert host.do("u1", StopContainers((ContainerStop("web_POD"),), 1)).failed is None
    stopped = host.container("web_POD")
    time.sleep(1)
    assert stopped is not None
    assert (stopped.state, stopped.exit_code) == ("exited", 3)
    assert host.container("web_POD") == stopped
    assert host.do("u1", RemoveContainer("web_POD", "u1")).failed is None


def test_a_container_that_ignores_the_stop_signal_is_killed_after_its_grace(host: Host) -> None:
    deaf = msgspec.structs.replace(
        sandbox(), image="lab/busybox:1", command=("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    )
    host.do("u1", *started(deaf))
    began = time.monotonic()
    assert host.do("u1", StopContainers((ContainerStop("web_POD"),), 1)).failed is None
    assert 1 <= time.monotonic() - began < 9
    stopped = host.container("web_POD")
    assert stopped is not None
    assert (stopped.state, stopped.exit_code) == ("exited", 137)


def test_a_proxy_that_is_removed_by_hand_comes_back(lab: Lab, host: Host) -> None:
    name = f"{CLUSTER}_proxy"
    before = host.container(name)
    assert before is not None
    lab.nodes[0].docker("rm", "-f", name)
    host.told.wait_for(lambda: (now := host.container(name)) is not None and now.id != before.id)
    host.told.wait_for(lambda: host.look().proxy.running)


def test_a_configuration_that_somebody_else_wrote_is_put_right_by_the_next_look(lab: Lab, host: Host) -> None:
    host.session.close()
    again = connect(node_of(lab), lab, spec=ClusterSpec(sync=Sync(relist_seconds=1)))
    file = f"/var/lib/reconciler/{CLUSTER}/proxy/haproxy.cfg"
    try:
        again.found()
        again.ensure(setup())
        again.told.wait_for(lambda: again.look().proxy.fingerprint == "one")
        lab.nodes[0].run(["sed", "-i", "1s/.*/# fingerprint: theirs/", file])
        again.told.wait_for(lambda: "fingerprint: one" in lab.nodes[0].run(["head", "-1", file]).stdout)
    finally:
        again.session.close()


def _with_route(wanted: NodeSetup, cidr: str, via: str) -> NodeSetup:
    network = msgspec.structs.replace(wanted.network, cluster_routes=(Route(cidr, via),))
    return msgspec.structs.replace(wanted, network=network)


def _state(lab: Lab) -> str:
    shown = [
        lab.nodes[0].run(command).stdout
        for command in (["ip", "route"], ["ip", "addr"], ["iptables-save"], ["docker", "network", "ls"])
    ]
    return "\n".join(shown)
