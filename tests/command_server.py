"""Runs `reconciler` as a user does, in a process of its own, without loading it anew each time.

Loading the program costs up to a second of processor time, and the lab's tests call it some hundred times. One
process loads every module and waits; each call is a fork of it, with the arguments, the environment, the folder
and the open files of the call. That the program loads, `tests/unit/cli` proves, which starts it from nothing.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import IO, Any

import reconciler

LARGEST_CALL = 1 << 20
PROGRAMS_OF_THEIR_OWN = ("reconciler.prober", "reconciler.authority", "reconciler.__main__")


class Command:
    """A call that runs, with what tests need of `subprocess.Popen`; its files are `stdin`, `stdout`, `stderr`."""

    def __init__(
        self, arguments: Sequence[str], files: tuple[int, int, int], environment: Mapping[str, str] | None = None
    ) -> None:
        self._ended, theirs = os.pipe()
        call = {
            "arguments": list(arguments),
            "environment": dict(os.environ if environment is None else environment),
            "folder": os.getcwd(),
        }
        try:
            self.pid = _server().call(json.dumps(call).encode(), (*files, theirs))
        finally:
            os.close(theirs)
        self.arguments = arguments
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self._wait(0)

    def wait(self, timeout: float) -> int:
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.arguments, timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _wait(self, seconds: float) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], seconds)[0]:
            self.returncode = int(os.read(self._ended, 16))
            os.close(self._ended)
        return self.returncode


class Piped(Command):
    """A call whose output is read while it runs."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str] | None = None, text: bool = True
    ) -> None:
        pipes = [os.pipe(), os.pipe()]
        self.stdout, self.stderr = (_opened(reading, text) for reading, _ in pipes)
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            super().__init__(arguments, (nothing, pipes[0][1], pipes[1][1]), environment)
        finally:
            for handle in (nothing, pipes[0][1], pipes[1][1]):
                os.close(handle)

    def close(self) -> None:
        self.stdout.close()
        self.stderr.close()


def call(
    *arguments: str, timeout: float, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The call, run to its end; one that does not end in time is killed."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        command = Command(arguments, (given.fileno(), out.fileno(), err.fileno()), environment)
        try:
            code = command.wait(timeout)
        finally:
            command.kill()
            command.wait(10)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(arguments), code, out.read(), err.read())


def _opened(handle: int, text: bool) -> IO[Any]:
    return os.fdopen(handle, "r" if text else "rb")


class _Server:
    """The process that waits with everything loaded. It ends when the tests do, whatever ends them."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.command_server", str(theirs.fileno())]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])

    def call(self, what: bytes, files: Sequence[int]) -> int:
        socket.send_fds(self._ours, [what], files)
        return int(self._ours.recv(16))

    def end(self) -> None:
        self._ours.close()
        self._process.wait(10)


@cache
def _server() -> _Server:
    return _Server()


def end_server() -> None:
    """At the end of the tests: what was called last has come to its end."""
    if _server.cache_info().currsize:
        _server().end()
        _server.cache_clear()


# --- in the process that waits --------------------------------------------------------------------------------


def _load_everything() -> None:
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
        if not module.name.startswith(PROGRAMS_OF_THEIR_OWN):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _become_a_call(calls: socket.socket) -> bool:
    """Fork for each call. True in a process that is to be one; False when nobody calls any more."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    endings: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([calls.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            _tell_endings(endings)
        if calls.fileno() not in ready:
            continue
        what, files, _, _ = socket.recv_fds(calls, LARGEST_CALL, 4)
        if not what:
            return False
        pid = os.fork()
        if pid == 0:
            for handle in (calls.fileno(), wake, woken, files[3], *endings.values()):
                os.close(handle)
            calls.detach()
            _take_on(json.loads(what), files[:3])
            return True
        endings[pid] = files[3]
        for handle in files[:3]:
            os.close(handle)
        calls.send(str(pid).encode())


def _tell_endings(endings: dict[int, int]) -> None:
    for pid in list(endings):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            told = endings.pop(pid)
            with contextlib.suppress(BrokenPipeError):
                os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(told)


def _take_on(call: dict[str, Any], files: Sequence[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, handle in enumerate(files):
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    time.tzset()
    sys.argv = ["reconciler", *call["arguments"]]


if __name__ == "__main__":
    _load_everything()
    if _become_a_call(socket.socket(fileno=int(sys.argv[1]))):
        runpy.run_module("reconciler", run_name="__main__", alter_sys=True)
