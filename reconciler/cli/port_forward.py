"""`reconciler port-forward`: a pod's ports on this machine."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from typing import Any, NamedTuple

import click

from reconciler.cli.access import ClusterAccess, known, pod_options, target
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import host_settings
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import ref_of
from reconciler.model.names import Ref
from reconciler.nodes.ssh.forwarding import Forwarder

_LOOK_SECONDS = 1.0


class _Pair(NamedTuple):
    local: int
    """0: one that is free."""
    remote: str
    """A number, or a port's name."""


@click.command("port-forward")
@click.argument("pod", metavar="POD")
@click.argument("ports", metavar="[LOCAL:]REMOTE...", nargs=-1, required=True)
@click.option(
    "--address", default="127.0.0.1", show_default=True, help="Where to listen; several with commas between."
)
@pod_options
def port_forward(pod: str, ports: tuple[str, ...], address: str, namespace: str, **given: Any) -> None:
    """Carry connections to ports of this machine to POD: NAME, deploy/NAME or svc/NAME, until Ctrl-C.

    REMOTE is a port of the pod, by number or name; of a service, one of its own ports. `:80` takes a free local
    port. One pod is chosen at the start, and the command ends when the connection to its host does.
    """
    configure_logging()
    state = known(host_settings(given))
    status = state.pod(pod, namespace)
    ip, node = status.status.pod_ip, status.spec.node_name
    if not ip:
        why = status.status.reason or status.status.phase
        raise click.ClickException(f"{ref_of(status)} has no address yet: {why}")
    wanted = [_pair(text) for text in ports]
    numbers = [_number(state, target(pod, namespace), status, pair.remote) for pair in wanted]
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with state.reaching(node) as host, ExitStack() as open_ones:
        for pair, port in zip(wanted, numbers, strict=True):
            local = pair.local
            for where in _addresses(address):
                try:
                    forwarder = Forwarder(host.ssh, (where, local), (ip, port), _complain)
                except OSError as error:
                    raise click.ClickException(
                        f"cannot listen at {where}:{local}: {error.strerror or error}"
                    ) from error
                open_ones.callback(forwarder.close)
                forwarder.start()
                shown = f"[{where}]" if ":" in where else where
                click.echo(f"Forwarding from {shown}:{forwarder.port} -> {port}")
                local = forwarder.port
        while not ended.wait(_LOOK_SECONDS):
            if not host.ssh.alive:
                raise click.ClickException(f"the connection to {node} was lost")


def _complain(why: str) -> None:
    click.echo(f"error: {why}", err=True)


def _addresses(text: str) -> list[str]:
    return ["127.0.0.1" if each.strip() == "localhost" else each.strip() for each in text.split(",")]


def _pair(text: str) -> _Pair:
    local, colon, remote = text.rpartition(":")
    if not colon:
        local = remote if remote.isdigit() else "0"
    if not (local or "0").isdigit() or not remote or int(local or 0) > 65535:
        raise click.UsageError(f"{text!r} is no pair of ports: write 8080:80, 80 or :80")
    return _Pair(int(local or 0), remote)


def _number(state: ClusterAccess, ref: Ref, pod: Pod, remote: str) -> int:
    """The pod's port that is meant."""
    if ref.kind == "Service":
        remote = _of_service(state, ref, remote)
    if remote.isdigit():
        if not 0 < int(remote) < 65536:
            raise click.UsageError(f"{remote} is no port")
        return int(remote)
    named = {
        port.name: port.container_port
        for container in pod.spec.containers
        for port in container.ports
        if port.name
    }
    if remote not in named:
        has = f"it has: {', '.join(named)}" if named else "it names none"
        raise click.ClickException(f"{ref_of(pod)} has no port named {remote!r}; {has}")
    return named[remote]


def _of_service(state: ClusterAccess, ref: Ref, remote: str) -> str:
    """The service's own port, as its targetPort."""
    service = state.statuses.get(ref)
    ports = service.spec.ports if isinstance(service, Service) else ()
    for port in ports:
        if remote in (str(port.port), port.name):
            return str(port.target_port or port.port)
    has = ", ".join(str(port.port) for port in ports) or "none"
    raise click.ClickException(f"{ref} has no port {remote}; it has: {has}")
