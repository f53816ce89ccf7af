"""What the node's name servers are given: their files, and the container they run in. Pure."""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from ipaddress import ip_address
from typing import Any

from reconciler.model.names import (
    DNS_AUTHORITY,
    SYSTEM_DNS,
    disk_directory,
)
from reconciler.model.setups import NodeDns
from reconciler.nodes.docker.system_request import system_request

INSIDE = "/etc/reconciler"
"""Where the container sees the host's directory, read-only; docs/reference/host-contract.md."""
CONFIG, RESOLV, HOSTS, ANSWERS = "dnsmasq.conf", "resolv.conf", "hosts", "answers"
VERSION = "version"
"""The file with the version of hosts and answers: after all of their files in the order of names."""
RESTART, RESTART_AUTHORITY = ("USR1", "USR2"), "HUP"
"""What makes each of the servers read its configuration anew, and the program beside them."""
_MEMORY_BYTES = 128 << 20
_RUN = f"""\
keep() {{
    trap 'asked=1; kill -s KILL "$program"' "$1"
    shift
    while :; do
        asked=
        "$@" &
        program=$!
        while kill -0 "$program" 2>/dev/null; do wait "$program"; done
        [ "$asked" ] || sleep 0.2
    done
}}
server() {{
    keep "$1" dnsmasq --keep-in-foreground --conf-file={INSIDE}/{CONFIG} --listen-address="$2"
}}
trap : USR1 USR2 HUP
server USR1 "$1" & first=$!
server USR2 "$2" & second=$!
keep HUP python3 -ISBc "$3" {DNS_AUTHORITY[0]} {DNS_AUTHORITY[1]} {INSIDE}/{ANSWERS} "$1" "$2" & authority=$!
trap 'kill -s USR1 "$first"' USR1
trap 'kill -s USR2 "$second"' USR2
trap 'kill -s HUP "$authority"' HUP
trap 'exit 0' TERM
while kill -0 "$first" && kill -0 "$second" && kill -0 "$authority"; do wait; done
"""
"""Two servers and the authority, each started again when it ends. A signal that comes while there is none would
end nothing: the first `trap` keeps it from ending us. Killed, for one that hangs hears nothing else."""


def files_of(wanted: NodeDns, host_resolv: str) -> dict[str, str]:
    """Path below the directory -> text; `host_resolv` is the host's /etc/resolv.conf."""
    hosts = {f"{HOSTS}/{name}": text for name, text in wanted.hosts.items()}
    answers = {f"{ANSWERS}/{name}": text for name, text in wanted.answers.items()}
    return {
        CONFIG: wanted.config,
        RESOLV: "".join(f"nameserver {server}\n" for server in name_servers(host_resolv, wanted.addresses)),
        **hosts,
        # An address that stands for none: what counts is that the name is there.
        f"{HOSTS}/{VERSION}": f"0.0.0.0 {wanted.hosts_name}\n",
        **answers,
        f"{ANSWERS}/{VERSION}": f"version {wanted.answers_name}\n",
    }


@cache
def authority_program() -> str:
    return resources.files("reconciler.authority").joinpath("__main__.py").read_text()


def name_servers(resolv: str, without: tuple[str, ...]) -> Iterator[str]:
    """Yield the name servers of a resolv.conf, without our own, which would ask themselves."""
    for line in resolv.splitlines():
        match line.split():
            case ["nameserver", server, *_] if server not in without and _is_address(server):
                yield server


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def container_request(cluster: str, image: str, addresses: tuple[str, str]) -> dict[str, Any]:
    """The body of Docker's create request; its own hash is one of the labels."""
    return system_request(
        cluster,
        SYSTEM_DNS,
        image,
        # As root, to listen on port 53; each server then becomes nobody, and has to be signalled all the same.
        ["sh", "-c", _RUN, "sh", *addresses, authority_program()],
        {
            "Binds": [f"{disk_directory(cluster)}/dns:{INSIDE}:ro"],
            "Memory": _MEMORY_BYTES,
            "CapAdd": ["NET_BIND_SERVICE", "SETUID", "SETGID", "KILL"],
        },
    )
