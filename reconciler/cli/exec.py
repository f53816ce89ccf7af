"""`reconciler exec`: a program in a running container, with its input and outputs here."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Any

import click

from reconciler.cli.access import choose_container, container_option, known, on_host, pod_options
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import host_settings
from reconciler.cli.terminal import is_terminal, raw, telling_size
from reconciler.nodes.access.exec import Execution, exit_code, resize, start
from reconciler.nodes.access.host import HostAccess
from reconciler.nodes.docker.streams import STDERR, DuplexStream, pieces
from reconciler.nodes.errors import NodeError

_CHUNK = 32768


@click.command()
@click.argument("pod", metavar="POD")
@click.argument("command", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@container_option
@click.option("-i", "--stdin", is_flag=True, help="Hand over what comes on stdin.")
@click.option("-t", "--tty", is_flag=True, help="With a terminal; it takes one here.")
@pod_options
@click.pass_context
def exec(
    ctx: click.Context,
    /,
    pod: str,
    command: tuple[str, ...],
    container: str,
    stdin: bool,
    tty: bool,
    namespace: str,
    **given: Any,
) -> None:
    """Run COMMAND in a container of POD (NAME, or the first ready pod of deploy/NAME or svc/NAME).

    Its exit code becomes this command's; 2 also where it could not be run at all.
    """
    configure_logging()
    if tty and not is_terminal():
        click.echo("Unable to use a TTY - input is not a terminal or the right kind of file", err=True)
        tty = False
    state = known(host_settings(given))
    status = state.pod(pod, namespace)
    name = choose_container(status, container).name
    with state.reaching(status.spec.node_name) as host:
        execution = start(host, on_host(host, status, name), command, stdin=stdin, tty=tty)
        try:
            if tty:
                _on_terminal(host, execution, stdin=stdin)
            else:
                _in_pipes(execution, stdin=stdin)
        finally:
            execution.stream.close()
        code = exit_code(host, execution)
    if code:
        click.echo(f"command terminated with exit code {code}", err=True)
    ctx.exit(code)


def _on_terminal(host: HostAccess, execution: Execution, *, stdin: bool) -> None:
    def tell(columns: int, lines: int) -> None:
        with contextlib.suppress(NodeError):  # It has ended, or goes on with another size.
            resize(host, execution, columns, lines)

    with raw() if stdin else contextlib.nullcontext(), telling_size(tell):
        _in_pipes(execution, stdin=stdin)


def _in_pipes(execution: Execution, *, stdin: bool) -> None:
    if stdin:
        threading.Thread(target=_feed, args=(execution.stream,), name="stdin", daemon=True).start()
    for piece in pieces(execution.stream.chunks(), tty=execution.tty):
        out = sys.stderr.buffer if piece.stream == STDERR else sys.stdout.buffer
        out.write(piece.data)
        out.flush()


def _feed(stream: DuplexStream) -> None:
    """Until stdin ends; the program then reads its end, and may write on."""
    with contextlib.suppress(NodeError, OSError):
        while data := os.read(sys.stdin.fileno(), _CHUNK):
            stream.send(data)
        stream.end_input()
