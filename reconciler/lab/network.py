"""The wires of a lab: a switch in a namespace of its own, and one port per host.

The bridge is kept out of the root namespace because a Docker engine there (br_netfilter, FORWARD DROP) would
filter the traffic between hosts. The root namespace has one port too, so ssh and curl reach the hosts from it.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab.commands import run

DEFAULT_NUMBER = 77
_BRIDGE = "br0"
_NAMESPACES = Path("/run/netns")


@dataclass(frozen=True)
class Network:
    """The network 10.<number>.0.0/24; labs with different numbers can be up side by side."""

    number: int = DEFAULT_NUMBER

    @property
    def prefix(self) -> str:
        """How the names of this lab's namespaces, links and cgroups begin."""
        return "rcl" if self.number == DEFAULT_NUMBER else f"rcl{self.number}"

    @property
    def switch(self) -> str:
        return f"{self.prefix}-switch"

    @property
    def uplink(self) -> str:
        """The root namespace's port."""
        return f"{self.prefix}-root"

    @property
    def gateway(self) -> str:
        """The root namespace's address."""
        return f"10.{self.number}.0.1"

    def address_of(self, index: int) -> str:
        """node-1 has 10.77.0.11."""
        return f"10.{self.number}.0.{10 + index}"

    def namespace_of(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def namespace_path(self, host: str) -> Path:
        return _NAMESPACES / self.namespace_of(host)

    def ensure_switch(self) -> None:
        """Make the switch and the root namespace's port, unless both are whole; a half-made switch is remade."""
        port = _link("root", self.switch) or {}
        if "master" in port and (uplink := _link(self.uplink)) and uplink.get("operstate") == "UP":
            return
        self.remove_switch()
        run(["ip", "netns", "add", self.switch])
        _batch(self.switch, [f"link add {_BRIDGE} type bridge", f"link set {_BRIDGE} up"])
        _batch(
            None,
            [
                f"link add {self.uplink} type veth peer name root netns {self.switch}",
                f"addr add {self.gateway}/24 dev {self.uplink}",
                f"link set {self.uplink} up",
            ],
        )
        _batch(self.switch, [f"link set root master {_BRIDGE} up"])

    def remove_switch(self) -> None:
        run(["ip", "link", "del", self.uplink], check=False)
        if _exists(self.switch):
            run(["ip", "netns", "del", self.switch], check=False)

    def plug(self, host: str, address: str) -> None:
        """Give the host a fresh network namespace with `eth0` in the switch; what was left of an old one goes."""
        self.unplug(host)
        namespace = self.namespace_of(host)
        run(["ip", "netns", "add", namespace])
        mac = hardware_address(address)
        _batch(
            None, [f"link add eth0 address {mac} netns {namespace} type veth peer name {host} netns {self.switch}"]
        )
        _batch(namespace, [f"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up"])
        _batch(self.switch, [f"link set {host} master {_BRIDGE} up"])

    def unplug(self, host: str) -> None:
        if _exists(self.switch):
            run(["ip", "-n", self.switch, "link", "del", host], check=False)
        if _exists(self.namespace_of(host)):
            run(["ip", "netns", "del", self.namespace_of(host)], check=False)

    def cut(self, host: str) -> None:
        """Take the host's port out of the bridge: like a broken cable further on, the host still sees a link."""
        run(["ip", "-n", self.switch, "link", "set", host, "nomaster"])

    def heal(self, host: str) -> None:
        run(["ip", "-n", self.switch, "link", "set", host, "master", _BRIDGE, "up"])

    def is_plugged(self, host: str) -> bool:
        return _exists(self.namespace_of(host)) and _link(host, self.switch) is not None

    def is_cut(self, host: str) -> bool:
        return (link := _link(host, self.switch)) is not None and "master" not in link

    def leftover_hosts(self) -> list[str]:
        """Hosts that have a network namespace of this number, whichever run made it."""
        found = _NAMESPACES.glob(self.namespace_of("node-[0-9]*")) if _NAMESPACES.is_dir() else ()
        return sorted(entry.name.removeprefix(f"{self.prefix}-") for entry in found)

    def needs_legacy_iptables(self) -> bool:
        """Does only the legacy iptables work with this kernel? Tried in the switch, which has no rules to lose."""

        def works(program: str) -> bool:
            if not shutil.which(program, path="/usr/sbin:/sbin"):
                return False
            command = ["nsenter", f"--net={_NAMESPACES / self.switch}", program, "-t", "nat", "-S"]
            return run(command, check=False).returncode == 0

        return not works("iptables") and works("iptables-legacy")


def hardware_address(address: str) -> str:
    """A host keeps its MAC over reboots: a fresh one would be missed by its neighbours' ARP caches for minutes."""
    return "02:52:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def _exists(namespace: str) -> bool:
    return (_NAMESPACES / namespace).exists()


def _link(name: str, namespace: str | None = None) -> dict[str, object] | None:
    inside = ["-n", namespace] if namespace else []
    done = run(["ip", *inside, "-json", "link", "show", "dev", name], check=False)
    if done.returncode != 0:
        return None
    found = [entry for entry in json.loads(done.stdout or "[]") if entry]
    return found[0] if found else None


def _batch(namespace: str | None, lines: Sequence[str]) -> None:
    inside = ["-n", namespace] if namespace else []
    run(["ip", *inside, "-batch", "-"], stdin="\n".join(lines) + "\n")
