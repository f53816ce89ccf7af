"""The terminal that a command runs in, lent to a program elsewhere: raw keys, and its size as it changes."""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextmanager
def raw() -> Iterator[None]:
    """Every key reaches the program, Ctrl-C too; afterwards the terminal is as it was."""
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setraw(number)
    try:
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


@contextmanager
def telling_size(tell: Callable[[int, int], None]) -> Iterator[None]:
    """Call `tell(columns, lines)` now and after each change, from a thread: it may wait for a host."""
    changed, ended = threading.Event(), threading.Event()

    def work() -> None:
        while not ended.is_set():
            size = os.get_terminal_size(sys.stdout.fileno())
            tell(size.columns, size.lines)
            changed.wait()
            changed.clear()

    before = signal.signal(signal.SIGWINCH, lambda *_: changed.set())
    changed_by = threading.Thread(target=work, name="terminal size", daemon=True)
    changed_by.start()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
        ended.set()
        changed.set()
