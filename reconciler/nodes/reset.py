"""Removes from a host everything that reconciler left on it for a cluster, and only that. For `node reset`."""

import json
from collections.abc import Callable, Iterator

from msgspec import Struct

from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.leases import Claim
from reconciler.model.names import LABEL_CLUSTER, POD_NETWORK, lease_directory, memory_directory
from reconciler.nodes.docker.engine import DIAL, ChannelPool, Engine, engine_errors, negotiate
from reconciler.nodes.docker.own_labels import OwnLabels
from reconciler.nodes.errors import NodeError
from reconciler.nodes.lease.lease import LeaseKeeper
from reconciler.nodes.lease.script import look_command, read_lease
from reconciler.nodes.network.interfaces import pod_network
from reconciler.nodes.network.iptables import TABLES, remove_chains
from reconciler.nodes.network.links import SERVICES
from reconciler.nodes.network.overlay import PROTOCOL, VXLAN
from reconciler.nodes.proxy.container import state_directory
from reconciler.nodes.ssh.connection import SshConnection
from reconciler.nodes.ssh.login import Credentials
from reconciler.nodes.ssh.shell import Shell

_SECONDS = 60.0
# What is pinned may have mounts of the host below it: those are let go of, and stay where they are.
_UNMOUNT = """\
if mountpoint -q "$1/pins"; then
    mount --make-rprivate "$1/pins" && umount -R -l "$1/pins" || exit 1
fi
cut -d' ' -f2 /proc/mounts | sort -r | while read -r mounted; do
    case $mounted in
        "$1" | "$1"/*) umount "$mounted" || umount -l "$mounted" || exit 1 ;;
    esac
done
"""


class Resetter(Struct, frozen=True):
    """The one that resets a host, as its lease names it."""

    owner: str
    holder: str
    take_over: bool = False
    """Whether a host is reset, too, if another's reconciler leads there."""
    ended: Callable[[str], bool] = lambda _: False
    """Whether the process of a lease is known to have ended."""


def reset_node(node: Node, cluster: Cluster, credentials: Credentials, by: Resetter) -> list[str]:
    """What was removed, in words; empty where nothing of ours was left. Raises NodeError where a step fails, and
    before anything is removed where another reconciler leads the host.

    Volumes of claims stay: they hold what people want to keep.

    Safe to repeat. No session should hold the node meanwhile: it would put back what its loop still wants.
    """
    ssh = SshConnection.connect(node, credentials, cluster.spec.ssh.connect_timeout_seconds)
    try:
        lease = LeaseKeeper(ssh, cluster.metadata.name, node.metadata.name)
        there = _take(lease, cluster.metadata.name, node.metadata.name, by)
        pool = ChannelPool(lambda: lease.open(DIAL), 1)
        engine = Engine(pool, negotiate(pool, _SECONDS), _SECONDS)
        shell = Shell(lambda: lease.open(("sh",)), node.metadata.name)
        return list(_reset(cluster.metadata.name, engine, shell, there))
    finally:
        ssh.close()


def _take(lease: LeaseKeeper, cluster: str, node: str, by: Resetter) -> frozenset[str]:
    """Take the lease; the directories of ours that were there before it."""
    looking = Shell(lambda: lease.open(("sh",)), node)
    there = {path for path in _directories(cluster) if looking.run(["test", "-e", path]).status == 0}
    found = read_lease(looking.run(look_command(cluster)).out.splitlines()[1:])
    epoch = found.epoch + 1 if found is not None else 1
    free = found is not None and by.ended(found.process)
    now = lease.take(Claim(by.owner, epoch, by.holder, by.take_over or free))
    if not lease.held:
        holder = now.holder if now is not None else "another reconciler"
        raise NodeError(
            f"{holder} leads {node}, and would put back what is removed: stop it, take the node out of its "
            "manifests, or take the host from it with --take-over"
        )
    return frozenset(there)


def _directories(cluster: str) -> tuple[str, str, str]:
    return state_directory(cluster), memory_directory(cluster), lease_directory(cluster)


def _reset(cluster: str, engine: Engine, shell: Shell, there: frozenset[str]) -> Iterator[str]:
    """The directories go last, and the lease with them."""
    yield from _containers(cluster, engine)
    network = pod_network(engine)
    owner = (network.get("Labels") or {}).get(LABEL_CLUSTER) if network else cluster
    if owner == cluster:
        # Routes, chains and addresses carry no cluster's name: they are of the cluster that has the pod network.
        yield from _routes(shell)
        if network:
            with engine_errors("remove the pod network"):
                engine.remove_network(network["Id"])
            yield f"Docker network {POD_NETWORK}"
        for table in TABLES:
            for chain in remove_chains(shell, table):
                yield f"iptables chain {chain}"
        for device in (SERVICES, VXLAN):
            if shell.run(["ip", "link", "show", "dev", device]).status == 0:
                shell.check(["ip", "link", "del", "dev", device])
                yield f"interface {device}"
    for directory in _directories(cluster):
        shell.script(f"unmounting below {directory}", _UNMOUNT, (directory,), None, _SECONDS)
        shell.check(["rm", "-rf", "--one-file-system", "--", directory], timeout=_SECONDS)
        if directory in there:
            yield f"directory {directory}"


def _containers(cluster: str, engine: Engine) -> Iterator[str]:
    with engine_errors("list containers"):
        found = engine.containers(all=True, filters={"label": f"{LABEL_CLUSTER}={cluster}"})
    own = OwnLabels(cluster, engine)
    for entry in found:
        with engine_errors(f"remove {entry['Id'][:12]}"):
            if not own.is_ours(engine.inspect_container(entry["Id"])):
                continue
            engine.remove_container(entry["Id"], force=True, v=True)
        yield f"container {entry['Names'][0].removeprefix('/')}"


def _routes(shell: Shell) -> Iterator[str]:
    shown = json.loads(shell.check(["ip", "-json", "route", "show", "proto", PROTOCOL]) or "[]")
    for route in shown:
        shell.check(["ip", "route", "del", route["dst"], "proto", PROTOCOL])
        yield f"route to {route['dst']}"
