"""Requests at a bounded rate through HAProxy, and every one that failed: what a rollout must not lose.

Two kinds, for they lose differently: fresh connections see where new ones are sent, kept ones what becomes of
those that are open when their pod leaves. Nothing here tries again: a failure is a failure.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

_TIMEOUT = 5.0


@dataclass(frozen=True)
class Failure:
    """`at`: seconds since the load began."""

    at: float
    took: float
    target: str
    why: str


class Load:
    """While it is entered, each target is asked `rate` times a second; `kept` asks over one open connection.
    `began` is monotonic."""

    def __init__(self, targets: Sequence[tuple[str, int]], *, rate: float = 50.0, kept: bool = False) -> None:
        self._pause = 1 / rate
        self._stopped = threading.Event()
        self.began = time.monotonic()
        self._lock = threading.Lock()
        self.answered = 0
        self.slowest = 0.0
        self.failures: list[Failure] = []
        asker = _Kept if kept else _Fresh
        self._threads = [threading.Thread(target=self._ask, args=(asker(target),)) for target in targets]

    def __enter__(self) -> Self:
        self.began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT)

    def _ask(self, asker: "_Fresh") -> None:
        due = time.monotonic()
        while not self._stopped.is_set():
            began = time.monotonic()
            why = _outcome(asker.ask)
            took = time.monotonic() - began
            with self._lock:
                if why:
                    self.failures.append(Failure(began - self.began, took, asker.target[0], why))
                else:
                    self.answered += 1
                    self.slowest = max(self.slowest, took)
            due = max(due + self._pause, began)
            self._stopped.wait(due - time.monotonic())
        asker.close()


def _outcome(ask: Callable[[], bytes]) -> str:
    """Why there was no answer; empty: there was."""
    try:
        answer = ask()
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    if not answer.startswith(b"HTTP/1.1 200"):
        return f"answered {answer[:40]!r}"
    return ""


class _Fresh:
    """One connection per request."""

    _HEADERS = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target

    def ask(self) -> bytes:
        with socket.create_connection(self.target, _TIMEOUT) as connection:
            connection.sendall(self._HEADERS)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer

    def close(self) -> None:
        """Nothing is open."""


class _Kept(_Fresh):
    """One connection for as many requests as it lives; the next request after its end opens another."""

    _HEADERS = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(target)
        self._connection: socket.socket | None = None

    def ask(self) -> bytes:
        try:
            if self._connection is None:
                self._connection = socket.create_connection(self.target, _TIMEOUT)
            self._connection.sendall(self._HEADERS)
            return self._answer(self._connection)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
        self._connection = None

    def _answer(self, connection: socket.socket) -> bytes:
        """To the end that Content-Length tells."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += _more(connection)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        while len(body) < length:
            body += _more(connection)
        if b"connection: close" in head.lower():
            self.close()
        return answer


def _more(connection: socket.socket) -> bytes:
    if not (part := connection.recv(65536)):
        raise ConnectionResetError("the connection ended before the answer did")
    return part
