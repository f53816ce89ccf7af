"""A program in a running container, through Docker's exec API, and what is said of it afterwards."""

import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from reconciler.nodes.access.host import HostAccess
from reconciler.nodes.docker.engine import engine_errors
from reconciler.nodes.docker.streams import DuplexStream
from reconciler.nodes.errors import OutcomeUnknown

_END_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 0.02
"""Docker writes the exit code down a moment after the outputs end."""


class Execution(Struct, frozen=True):
    """A program that was started."""

    id: str
    stream: DuplexStream
    tty: bool


def start(host: HostAccess, container: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Execution:
    """EngineError where it cannot be started: the container does not run, or has no such program."""
    with engine_errors("exec"):
        made: dict[str, Any] = host.engine.exec_create(container, list(command), stdin=stdin, tty=tty)
    stream = host.two_way(f"/exec/{made['Id']}/start", {"Detach": False, "Tty": tty})
    return Execution(str(made["Id"]), stream, tty)


def resize(host: HostAccess, execution: Execution, columns: int, lines: int) -> None:
    with engine_errors("resize"):
        host.engine.exec_resize(execution.id, height=lines, width=columns)


def exit_code(host: HostAccess, execution: Execution) -> int:
    """OutcomeUnknown where it runs on for a while after its outputs have ended."""
    deadline = time.monotonic() + _END_SECONDS
    while True:
        with engine_errors("exec"):
            known: dict[str, Any] = host.engine.exec_inspect(execution.id)
        if not known.get("Running") and known.get("ExitCode") is not None:
            return int(known["ExitCode"])
        if time.monotonic() > deadline:
            raise OutcomeUnknown("the program runs on, and its outputs have ended")
        time.sleep(_LOOK_AGAIN_SECONDS)
