"""What is to be probed, as the file says that the master writes. Any other version of it is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

VERSION = 1


class BadFile(Exception):
    """The file is not one that this program understands; what was in force before stays."""


@dataclass(frozen=True)
class Handler:
    """`type` is exec, http, tcp, grpc or sleep; of the rest, what that type needs."""

    type: str
    command: tuple[str, ...] = ()
    scheme: str = "http"
    host: str = ""
    port: int = 0
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    service: str = ""
    seconds: int = 0


@dataclass(frozen=True)
class ProbeSettings:
    """Seconds and counts as upstream's fields of these names have them."""

    kind: str
    """startup, liveness or readiness; a container has at most one of each."""
    action: Handler
    initial_delay: int
    period: int
    timeout: int
    successes: int
    failures: int
    grace: int
    """Seconds from the preStop hook's start to SIGKILL, when this probe ends the container."""


@dataclass(frozen=True)
class ProbeTarget:
    """A container, by its name on the host."""

    name: str
    probes: tuple[ProbeSettings, ...]
    pre_stop: Handler | None
    restarts: bool
    """False: it is only stopped."""


@dataclass(frozen=True)
class ProbesFile:
    cluster: str
    """Value of the label that a container must carry to be touched."""
    targets: dict[str, ProbeTarget]
    """The containers to probe, by name."""
    digest: str
    """The file's digest, by whoever wrote it: it is reported back, so that they know what is in force."""


def read_probes_file(text: str) -> ProbesFile:
    """Raises BadFile."""
    try:
        document = json.loads(text)
        if document["version"] != VERSION:
            raise BadFile(f"version {document['version']!r} of the probes' file is not {VERSION}")
        targets = [_target(one) for one in document["containers"]]
        return ProbesFile(
            cluster=str(document["cluster"]),
            targets={target.name: target for target in targets},
            digest=str(document["digest"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadFile(f"the probes' file cannot be read: {type(error).__name__}: {error}") from error


def _target(one: dict[str, Any]) -> ProbeTarget:
    pre_stop = one.get("pre_stop")
    return ProbeTarget(
        name=one["name"],
        probes=tuple(read_probe(probe) for probe in one["probes"]),
        pre_stop=read_handler(pre_stop) if pre_stop else None,
        restarts=one["restarts"],
    )


def read_probe(one: dict[str, Any]) -> ProbeSettings:
    return ProbeSettings(**{**one, "action": read_handler(one["action"])})


def read_handler(one: dict[str, Any]) -> Handler:
    headers = tuple((name, value) for name, value in one.get("headers", ()))
    return Handler(**{**one, "command": tuple(one.get("command", ())), "headers": headers})
