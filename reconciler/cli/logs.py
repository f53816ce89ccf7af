"""`reconciler logs`: what a pod's containers have written, and write."""

from __future__ import annotations

import sys
import threading
from typing import Any

import click

from reconciler.cli.access import choose_container, container_option, known, on_host, pod_options
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import Duration, host_settings
from reconciler.model.api.core.container_status import ContainerStatus
from reconciler.model.api.core.pod import Pod, container_statuses_of
from reconciler.nodes.access.host import HostAccess
from reconciler.nodes.access.log_lines import LogLine
from reconciler.nodes.access.logs import LogRequest, now_there, read_log, start_of_run
from reconciler.nodes.errors import NodeError

_MOST_FOLLOWED = 8
"""sshd allows ten channels by default; each log that is followed takes one."""


@click.command()
@click.argument("pod", metavar="POD")
@container_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the container ends.")
@click.option("-p", "--previous", is_flag=True, help="Of the runs before the present one.")
@click.option("--tail", type=int, default=-1, help="Only so many lines from the end; all without.")
@click.option("--since", type=Duration(), default=None, help="Only what is younger than 10s, 5m or 1h.")
@click.option("--timestamps", is_flag=True, help="Each line with its time on the host's clock.")
@click.option("--all-containers", is_flag=True, help="Of every container of the pod.")
@click.option("--prefix", is_flag=True, help="Each line with the pod and the container it is from.")
@pod_options
def logs(
    pod: str,
    container: str,
    follow: bool,
    previous: bool,
    tail: int,
    since: float | None,
    timestamps: bool,
    all_containers: bool,
    prefix: bool,
    namespace: str,
    **given: Any,
) -> None:
    """Show what POD has written: NAME, or the first ready pod of deploy/NAME or svc/NAME.

    Both outputs of the containers come on stdout. Exit code 0: shown; 2: an error.
    """
    if follow and previous:
        raise click.UsageError("--previous has an end: it does not go with --follow")
    configure_logging()
    state = known(host_settings(given))
    status = state.pod(pod, namespace)
    if all_containers:
        chosen = list(container_statuses_of(status))
    else:
        chosen = [choose_container(status, container)]
    with state.reaching(status.spec.node_name) as host:
        start = now_there(host) - int(since * 1e9) if since is not None else 0
        wanted = LogRequest(follow, previous, tail, start)
        shown = [_Shown(host, status, one, prefix, timestamps) for one in chosen]
        if follow and len(shown) > 1:
            _together(shown, wanted)
        else:
            for one in shown:
                one.show(wanted, skips=all_containers)


class _Shown:
    """One container's log on its way to stdout."""

    _writing = threading.Lock()
    _is_open = False
    """What was written last, for any of them, has no line's end."""

    def __init__(
        self, host: HostAccess, pod: Pod, container: ContainerStatus, prefix: bool, timestamps: bool
    ) -> None:
        self._host = host
        self._pod = pod
        self._container = container
        self._prefix = f"[pod/{pod.metadata.name}/{container.name}] " if prefix else ""
        self._timestamps = timestamps

    def show(self, wanted: LogRequest, *, skips: bool) -> None:
        """`skips`: one of several containers, and it is no fault that there is nothing of it."""
        try:
            found = self._host.look_at(on_host(self._host, self._pod, self._container.name))
        except click.ClickException:
            if skips:
                return
            raise
        last = self._container.last_state
        ended = last.terminated.finished_at if last is not None and last.terminated is not None else ""
        start = start_of_run(found, ended, self._container.restart_count)
        if wanted.previous and not start:
            if skips:
                return
            pod, container = self._pod.metadata.name, self._container.name
            raise click.ClickException(f'previous terminated container "{container}" in pod "{pod}" not found')
        for line in read_log(self._host, found, wanted, start):
            self._write(line)

    def _write(self, line: LogLine) -> None:
        with self._writing:
            out = sys.stdout.buffer
            if line.begins:
                moment = f"{line.moment} " if self._timestamps else ""
                out.write(b"\n" * _Shown._is_open + f"{self._prefix}{moment}".encode())
            out.write(line.text)
            _Shown._is_open = not line.text.endswith(b"\n")
            out.flush()


def _together(shown: list[_Shown], wanted: LogRequest) -> None:
    if len(shown) > _MOST_FOLLOWED:
        raise click.ClickException(
            f"at most {_MOST_FOLLOWED} containers can be followed at once: name one with -c"
        )
    failures: list[Exception] = []

    def run(one: _Shown) -> None:
        try:
            one.show(wanted, skips=True)
        except (NodeError, BrokenPipeError) as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in shown]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
