"""What the lab must remember between commands: which hosts it has. Everything else is asked of the kernel."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reconciler.lab.errors import LabError
from reconciler.lab.network import Network

DEFAULT_DIRECTORY = Path("/var/lib/reconciler-lab")


@dataclass(frozen=True)
class LabNode:
    """One host in state.json: how to reach it, and the key it must show."""

    name: str
    index: int
    ip: str
    ssh_port: int
    host_key: str


def default_directory() -> Path:
    return Path(os.environ.get("RECONCILER_LAB_DIR") or DEFAULT_DIRECTORY)


@dataclass(frozen=True)
class LabState:
    nodes: tuple[LabNode, ...]
    network: Network


def read_state(directory: Path) -> LabState | None:
    """The lab of this directory, None if there is none. LabError if the file is damaged."""
    path = directory / "state.json"
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        nodes = tuple(LabNode(**node) for node in document["nodes"])
        return LabState(nodes, Network(document["network"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"{path} is damaged ({error}); remove it, then `reconciler lab down` clears the rest away"
        ) from error


def write_state(directory: Path, state: LabState) -> None:
    path = directory / "state.json"
    fresh = path.with_suffix(".new")
    document = {"network": state.network.number, "nodes": [asdict(node) for node in state.nodes]}
    fresh.write_text(json.dumps(document, indent=2) + "\n")
    fresh.rename(path)


@contextmanager
def locked(directory: Path, seconds: float = 120.0) -> Iterator[None]:
    """Hold the lab's directory for one command at a time; the lock is on the directory itself, no file is left."""
    end = time.monotonic() + seconds
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(directory, handle):
                try:
                    yield
                finally:
                    with suppress(OSError):
                        directory.rmdir()  # does nothing unless it is empty
                return
        except BlockingIOError:
            if time.monotonic() > end:
                raise LabError(
                    f"another `reconciler lab` command has held {directory} for {seconds:g} s"
                ) from None
            time.sleep(0.1)
        finally:
            os.close(handle)


def _is_still(directory: Path, handle: int) -> bool:
    """Was the directory not removed (by `down --purge`) between opening and locking it?"""
    try:
        return os.path.samestat(os.stat(directory), os.fstat(handle))
    except FileNotFoundError:
        return False
