"""Asks sshd for a sign of life, with a deadline: the library's own request waits until the connection ends."""

import threading

import paramiko

_REQUEST = "keepalive@openssh.com"


class Keepalive:
    """Asks one connection for a sign of life. Several threads may ask at once: the answer to one is a sign of
    life for all."""

    def __init__(self, transport: paramiko.Transport) -> None:
        self._transport = transport
        self._asked = threading.Event()
        self._answered = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ask(self, timeout: float) -> bool:
        """Has sshd answered within `timeout`? Costs it one packet, and no session."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="keepalive", daemon=True)
                self._thread.start()
        self._answered.clear()
        self._asked.set()
        return self.answers(timeout)

    def answers(self, timeout: float) -> bool:
        """Does an answer to what was asked last come within `timeout`?"""
        return self._answered.wait(timeout) and self._transport.is_active()

    def end(self) -> None:
        """The connection is closed: nothing is asked any more."""
        self._asked.set()

    def _work(self) -> None:
        """Until the connection ends, which ends a request that waits, too."""
        while self._asked.wait() and self._transport.is_active():
            self._asked.clear()
            try:
                self._transport.global_request(_REQUEST, wait=True)
            except (paramiko.SSHException, EOFError, OSError):
                return
            if self._transport.is_active():
                self._answered.set()
