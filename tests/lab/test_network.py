"""The pod network between hosts that a router parts, and what becomes of it when others change it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.lab import Host, Lab
from tests.lab.conftest import STAGE, restore
from tests.lab.pods import Json, Stage, container, is_ready, pod, workload
from tests.lab.segments import second_segment
from tests.lab.world import World, eventually

SIZE = 3 << 20
SERVE = "dd if=/dev/zero of=/tmp/big bs=1M count=3 2>/dev/null; exec httpd -f -p 8080 -h /tmp"


@pytest.fixture(scope="module")
def stage_of_file(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """node-1 and node-2 are on one network, node-3 on another."""
    restore(lab)
    world = World(lab, tmp_path_factory.mktemp("stage"))
    far = lab.node("node-3")
    with second_segment(lab, far) as address:
        node = (world.folder / "nodes-node-3.yaml").read_text()
        world.write("nodes-node-3.yaml", node.replace(far.address, address))
        world.write("cluster.yaml", STAGE.replace("relistSeconds: 10", "relistSeconds: 600"))
        with world.run() as running:
            running.converged()
            yield Stage(world, running)


def routes(host: Host) -> dict[str, Json]:
    shown = json.loads(host.run(["ip", "-json", "route", "show", "proto", "82"]).stdout)
    return {entry["dst"]: entry for entry in shown}


def on(node: str) -> Json:
    return {"nodeSelector": {"kubernetes.io/hostname": node}}


def received(stage: Stage, app: str, node: str, address: str) -> int:
    """Bytes that a pod gets of another one's file."""
    ask = rf"printf 'GET /big HTTP/1.0\r\n\r\n' | nc -w 2 {address} 8080 | wc -c"
    return int(stage.inside(app, "sh", "-c", ask, node=node).split()[0])


def serving(stage: Stage, app: str, node: str) -> str:
    """The pod's address, once its server answers in the pod itself."""
    address: str = stage.up(app)["status"]["podIP"]
    eventually(lambda: received(stage, app, node, "127.0.0.1") > SIZE, what=f"an answer of {app} to itself")
    return address


def test_only_the_way_to_the_far_host_goes_through_vxlan_and_packets_fit(stage: Stage) -> None:
    nodes = ("node-1", "node-2", "node-3")
    stage.put(*(pod(f"on-{node}", container(script=SERVE), **on(node)) for node in nodes))
    ips = {node: serving(stage, f"on-{node}", node) for node in nodes}
    for near in ("node-1", "node-2"):
        devices = sorted(entry["dev"] for entry in routes(stage.world.lab.node(near)).values())
        assert devices == ["eth0", "rcn-vx"]
    assert {entry["dev"] for entry in routes(stage.world.lab.node("node-3")).values()} == {"rcn-vx"}
    for source, target in (("node-1", "node-2"), ("node-1", "node-3"), ("node-3", "node-2")):
        assert received(stage, f"on-{source}", source, ips[target]) > SIZE, f"from {source} to {target}"
    ask = ("curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{size_download} %{local_ip}")
    there = stage.world.lab.node("node-1").run([*ask, f"http://{ips['node-3']}:8080/big"]).stdout.split()
    assert int(there[0]) == SIZE, "from a host itself, as its proxy asks"
    assert there[1] == ips["node-1"].rpartition(".")[0] + ".1"


def test_what_others_remove_is_put_right_within_seconds_and_told(stage: Stage) -> None:
    """A firewall that reloads, and people."""
    scripts = {
        "node-1": ("iptables -F; iptables -t nat -F", "iptables jump from FORWARD to DOCKER-USER"),
        "node-2": ("ip link del rcn-vx", "interface rcn-vx"),
        "node-3": ("bridge fdb flush dev rcn-vx; ip route flush proto 82", "VXLAN peer"),
    }
    hosts = {name: stage.world.lab.node(name) for name in scripts}
    before = {name: _state(host) for name, host in hosts.items()}
    for name, (script, _) in scripts.items():
        assert _state(hosts[name], script) != before[name]
    for name, (_, told) in scripts.items():
        stage.event("NetworkRepaired", told)
        stage.event("NetworkRepaired", f'"name": "{name}"')
    eventually(lambda: {name: _state(host) for name, host in hosts.items()} == before, 10, "all as before")


def test_two_hosts_that_see_the_way_between_them_differently(stage: Stage) -> None:
    """Also with strict reverse-path filtering, as many distributions have it."""
    stage.put(*(pod(f"as-{node}", container(script=SERVE), **on(node)) for node in ("node-1", "node-2")))
    ips = {node: serving(stage, f"as-{node}", node) for node in ("node-1", "node-2")}
    one, two = stage.world.lab.node("node-1"), stage.world.lab.node("node-2")
    strict = "/proc/sys/net/ipv4/conf/eth0/rp_filter"
    two.run(["ip", "route", "add", one.address, "via", f"10.{stage.world.lab.network.number}.0.2"])
    two.run(["sh", "-c", f"echo 1 >{strict}; ip link del rcn-vx"])
    try:
        stage.event("NetworkRepaired", "interface rcn-vx")
        assert {entry["dev"] for entry in routes(two).values()} == {"rcn-vx"}
        assert {entry["dev"] for entry in routes(one).values()} == {"eth0", "rcn-vx"}
        assert received(stage, "as-node-1", "node-1", ips["node-2"]) > SIZE
        assert received(stage, "as-node-2", "node-2", ips["node-1"]) > SIZE
    finally:
        two.run(["sh", "-c", f"echo 0 >{strict}; ip route del {one.address}"])


def labelled(name: str, node: str, namespace: str = "default") -> Json:
    made = pod(name, container(script=SERVE), **on(node))
    made["metadata"]["namespace"] = namespace
    return made


def policy(name: str, selects: str, **spec: Any) -> Json:
    body = {"podSelector": {"matchLabels": {"app": selects}}, **spec}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": body,
    }


@pytest.fixture
def no_bridge_filter(stage: Stage) -> Iterator[None]:
    """node-1 passes no bridged packets to iptables by itself: reconciler has it do so for its own bridge."""
    host = stage.world.lab.node("node-1")
    switch = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    before = host.run(["cat", switch]).stdout
    host.run(["tee", switch], stdin="0\n")
    yield
    host.run(["tee", switch], stdin=before)


@pytest.mark.usefixtures("no_bridge_filter")
def test_policies_between_pods_of_a_host_and_of_two(stage: Stage) -> None:
    one, three = stage.world.lab.node("node-1"), stage.world.lab.node("node-3")
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other", "labels": {"team": "x"}}}
    friends: Json = {"podSelector": {"matchLabels": {"app": "friend"}}}
    far: Json = {
        "namespaceSelector": {"matchLabels": {"team": "x"}},
        "podSelector": {"matchLabels": {"app": "far"}},
    }
    rule = {"from": [friends, far], "ports": [{"port": 8080}]}
    mark = stage.put(
        space,
        *(labelled(name, "node-1") for name in ("server", "friend", "stranger")),
        *(labelled(name, "node-3", "other") for name in ("far", "farther")),
        policy("server", "server", ingress=[rule]),
        file="policies.yaml",
    )
    stage.running.converged(since=mark)
    server = serving(stage, "server", "node-1")
    reached = {
        name: received(stage, name, node, server) > SIZE
        for name, node in (("friend", "node-1"), ("stranger", "node-1"), ("far", "node-3"), ("farther", "node-3"))
    }
    assert reached == {"friend": True, "stranger": False, "far": True, "farther": False}
    for host in (one, three):
        assert (
            host.run(
                ["curl", "-s", "-m", "5", "-o", "/dev/null", f"http://{server}:8080/big"], check=False
            ).returncode
            == 0
        )
    mark = stage.put(policy("closed", "friend", policyTypes=["Egress"]), file="closed.yaml")
    stage.running.converged(since=mark)
    assert received(stage, "friend", "node-1", server) == 0
    assert received(stage, "far", "node-3", server) > SIZE
    before = _state(one)
    one.run(["iptables", "-F"])
    stage.event("NetworkRepaired", "iptables chain RECONCILER-I-")
    assert _state(one) == before


def test_a_client_of_a_guarded_service_is_replaced_without_a_reload(stage: Stage) -> None:
    address, client = "10.96.77.7", {"podSelector": {"matchLabels": {"app": "client"}}}
    ports = [{"name": "http", "port": 8080}]
    kept = (
        *(labelled(name, node) for name, node in (("guarded", "node-1"), ("outsider", "node-2"))),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "guarded"},
            "spec": {"clusterIP": address, "selector": {"app": "guarded"}, "ports": ports},
        },
        policy("guarded", "guarded", ingress=[{"from": [client]}]),
    )
    mark = stage.put(*kept, workload("client", container(), template={"version": "1"}, **on("node-2")))
    stage.running.converged(since=mark)
    serving(stage, "guarded", "node-1")
    first = stage.up("client")["status"]["podIP"]
    eventually(lambda: received(stage, "client", "node-2", address) > SIZE, 10, "an answer")
    assert received(stage, "outsider", "node-2", address) == 0
    eventually(lambda: len(_processes(stage)) == 6, what="the end of the workers before a reload")
    before = _processes(stage)
    mark = stage.put(*kept, workload("client", container(), template={"version": "2"}, **on("node-2")))
    stage.running.converged(since=mark)
    stage.wait("client", lambda seen: is_ready(seen) and seen["status"]["podIP"] != first)
    assert received(stage, "client", "node-2", address) > SIZE
    assert received(stage, "outsider", "node-2", address) == 0
    assert _processes(stage) == before, "no reload"


def _processes(stage: Stage) -> list[tuple[str, str]]:
    """HAProxy's, of each proxy: its master and its worker, and the worker before until it has ended."""
    return [
        (node, line)
        for node in ("node-1", "node-2", "node-3")
        for line in stage.docker("top", "test_proxy", "-eo", "pid,args", node=node).splitlines()
        if line.split()[1].endswith("haproxy")
    ]


def _state(host: Host, after: str = ":") -> list[str]:
    """All of ours there is; `after` a script, at once."""
    commands = (
        *("iptables -S RECONCILER-FWD", "iptables -S RECONCILER-VXLAN", "iptables -t nat -S RECONCILER-POST"),
        *("iptables -C FORWARD -j DOCKER-USER", "iptables -C DOCKER-USER -j RECONCILER-FWD"),
        *("iptables -C INPUT -j RECONCILER-VXLAN", "iptables -t nat -C POSTROUTING -j RECONCILER-POST"),
        *("ip route show proto 82", "ip neigh show dev rcn-vx nud permanent", "bridge fdb show dev rcn-vx"),
    )
    shown = "\n".join(f"{command} 2>&1 | sort; echo $?" for command in commands)
    done = host.run(["sh", "-c", f"({after}) || exit 1\n{shown}"])
    return done.stdout.splitlines()
