"""A second network for one of the lab's hosts, behind a router that knows nothing of pods: the lab's switch."""

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.lab import Host, Lab
from reconciler.lab.commands import run

_BRIDGE = "br1"


@contextmanager
def second_segment(lab: Lab, host: Host) -> Iterator[str]:
    """Move the host there; its address in that network. Everybody else reaches it through the switch."""
    # Not that of another lab: those of pytest's workers, and the ones of test_lab_commands.py.
    near, far = f"10.{lab.network.number}.0", f"10.{lab.network.number + 50}.0"
    router, there = f"{near}.2", f"{far}.{10 + host.index}"
    neighbours = [each for each in lab.nodes if each.name != host.name]
    _in_switch(
        lab,
        f"link add {_BRIDGE} type bridge",
        f"addr add {far}.1/24 dev {_BRIDGE}",
        f"addr add {router}/24 dev br0",
        f"link set {_BRIDGE} up",
        f"link set {host.name} master {_BRIDGE}",
    )
    run(["nsenter", f"--net=/run/netns/{lab.network.switch}", "sysctl", "-qw", "net.ipv4.ip_forward=1"])
    host.run(["ip", "addr", "add", f"{there}/24", "dev", "eth0"])
    host.run(["ip", "addr", "del", f"{host.address}/24", "dev", "eth0"])
    host.run(["ip", "route", "add", "default", "via", f"{far}.1"])
    for each in neighbours:
        each.run(["ip", "route", "replace", f"{far}.0/24", "via", router])
    run(["ip", "route", "replace", f"{far}.0/24", "via", router])
    try:
        yield there
    finally:
        run(["ip", "route", "del", f"{far}.0/24"], check=False)
        for each in neighbours:
            each.run(["ip", "route", "del", f"{far}.0/24"], check=False)
        host.run(["ip", "addr", "flush", "dev", "eth0"])
        host.run(["ip", "addr", "add", f"{host.address}/24", "dev", "eth0"])
        _in_switch(lab, f"link set {host.name} master br0", f"link del {_BRIDGE}", f"addr del {router}/24 dev br0")


def _in_switch(lab: Lab, *lines: str) -> None:
    run(["ip", "-n", lab.network.switch, "-batch", "-"], stdin="\n".join(lines) + "\n")
