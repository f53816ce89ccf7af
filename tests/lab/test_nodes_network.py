"""The flat pod network of two real hosts: every pod and every proxy reaches every pod, each by its own address."""

from collections.abc import Iterator
from functools import partial

import msgspec
import pytest

from reconciler.lab import Host as Machine
from reconciler.lab import Lab
from reconciler.model.addresses import SocketAddress
from reconciler.model.container_config import ContainerConfig, PodAddress
from reconciler.model.proxy import ProxyServer
from reconciler.model.setups import NodeNetwork, NodeSetup, Route
from tests.lab.world import eventually
from tests.node_host import Host, connect, labels, node_of, setup, started

CIDRS = ("10.244.1.0/24", "10.244.2.0/24")
PODS = ("10.244.1.5", "10.244.2.5")


def setup_of(lab: Lab, index: int) -> NodeSetup:
    peer = 1 - index
    servers = tuple(ProxyServer(f"web-{number}", SocketAddress(ip, 8080)) for number, ip in enumerate(PODS))
    network = NodeNetwork(
        CIDRS[index], "10.244.0.0/16", (Route(CIDRS[peer], lab.records[peer].ip),), ("10.96.0.10",)
    )
    checks = frozenset({SocketAddress(PODS[index], 8080)})
    return msgspec.structs.replace(setup("flat", servers=servers, checks=checks), network=network)


@pytest.fixture
def hosts(lab: Lab) -> Iterator[list[Host]]:
    hosts = [connect(node_of(lab, index), lab) for index in range(2)]
    try:
        for index, host in enumerate(hosts):
            host.found()
            host.ensure(setup_of(lab, index))
        for index, host in enumerate(hosts):
            host.told.wait_for(lambda host=host: host.look().proxy.fingerprint == "flat")  # type: ignore[misc]
            pod = ContainerConfig(
                f"web-{index}", "lab/web:1.0", labels(f"u{index}", "app"), PodAddress(PODS[index])
            )
            assert host.do(f"u{index}", *started(pod)).failed is None
            host.told.wait_for(lambda host=host: bool(host.look().listening))  # type: ignore[misc]
        yield hosts
    finally:
        for host in hosts:
            host.session.close()


@pytest.mark.usefixtures("hosts")
def test_pods_proxies_and_hosts_reach_each_other(lab: Lab) -> None:
    for index, peer in ((0, 1), (1, 0)):
        machine = lab.nodes[index]
        pid = machine.docker("inspect", "-f", "{{.State.Pid}}", f"web-{index}").stdout.strip()
        in_the_pod = ["nsenter", "-t", pid, "-n"]
        on_the_host: list[str] = []
        for where in (in_the_pod, on_the_host):
            assert fetch(machine, where, f"{PODS[peer]}:8080")
            eventually(partial(both_answer, machine, where))


def both_answer(machine: Machine, where: list[str]) -> bool:
    return len({fetch(machine, where, "10.96.0.10:80") for _ in range(4)} - {""}) == len(PODS)


def fetch(machine: Machine, where: list[str], address: str) -> str:
    return machine.run([*where, "curl", "-s", "-S", "-m", "3", f"http://{address}/"], check=False).stdout
