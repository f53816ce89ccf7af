"""What the node's prober is given: its program, its file of probes, and the container it runs in."""

import base64
import functools
import hashlib
import io
import json
import tarfile
from importlib import resources
from typing import Any

import msgspec

from reconciler.model.names import SYSTEM_PROBER, disk_directory
from reconciler.model.probes import (
    CheckHealth,
    GetUrl,
    Hook,
    OpenConnection,
    ProbeAction,
    ProbedContainer,
    ProbeSpec,
    RunCommand,
    Wait,
)
from reconciler.nodes.docker.system_request import system_request

INSIDE = "/etc/reconciler"
"""Where the container sees the host's directory, read-only; docs/reference/host-contract.md."""
PROBES, PROGRAM = "probes.json", "program"
WRITE_PROGRAM = (
    'set -e; mkdir -p "$1"; chmod "$4" "$1"; cd "$1"; rm -rf "$2-$3.new"; mkdir "$2-$3.new"; '
    'base64 -d | tar -x -C "$2-$3.new"; rm -rf "$2-$3"; mv "$2-$3.new" "$2-$3"; '
    'for old in "$2"-*; do [ "$old" = "$2-$3" ] || rm -rf "$old"; done'
)
"""What `program` gives, into the directory `$1` as `$2-$3`, and no other version of it beside."""
_VERSION = 1
"""Of the file; reconciler/prober/specs.py reads it."""
_MEMORY_BYTES = 128 << 20


def probes_file(cluster: str, containers: tuple[ProbedContainer, ...]) -> tuple[str, str]:
    """Write the file of probes; returns its digest, which the prober tells back, and its text."""
    document = {
        "version": _VERSION,
        "cluster": cluster,
        "containers": [
            {
                "name": one.container,
                "restarts": one.restarts,
                "pre_stop": action_of(one.pre_stop) if one.pre_stop else None,
                "probes": [probe_of(probe) for probe in one.probes],
            }
            for one in containers
        ],
    }
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()[:16]
    return digest, json.dumps({**document, "digest": digest})


def probe_of(probe: ProbeSpec) -> dict[str, Any]:
    """Describe a probe to the prober, as reconciler/prober/specs.py reads it."""
    return {**msgspec.structs.asdict(probe), "action": action_of(probe.action)}


def action_of(action: ProbeAction | Hook) -> dict[str, Any]:
    match action:
        case RunCommand(command=command):
            return {"type": "exec", "command": list(command)}
        case GetUrl():
            return {"type": "http", **msgspec.structs.asdict(action)}
        case OpenConnection(host=host, port=port):
            return {"type": "tcp", "host": host, "port": port}
        case CheckHealth(host=host, port=port, service=service):
            return {"type": "grpc", "host": host, "port": port, "service": service}
        case Wait(seconds=seconds):
            return {"type": "sleep", "seconds": seconds}


@functools.cache
def program() -> tuple[str, str]:
    """The program's files as a tar in base64, and the hash of their contents."""
    out = io.BytesIO()
    digest = hashlib.sha256()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for file in sorted(resources.files("reconciler.prober").iterdir(), key=lambda item: item.name):
            if file.name.endswith(".py"):
                data = file.read_bytes()
                entry = tarfile.TarInfo(f"reconciler/prober/{file.name}")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
                digest.update(f"{file.name}\0{len(data)}\0".encode() + data)
    return base64.b64encode(out.getvalue()).decode(), digest.hexdigest()[:16]


def container_request(cluster: str, image: str) -> dict[str, Any]:
    """The body of Docker's create request; its own hash, and with it the program's, is one of the labels."""
    _, digest = program()
    return system_request(
        cluster,
        SYSTEM_PROBER,
        image,
        # As root: Docker's socket is root's. Told to read its file before it listens, it reads it anyway.
        ["sh", "-c", "trap '' HUP; exec python3 -B -m reconciler.prober \"$1\"", "prober"],
        {
            # Docker cannot end a command of a probe: the prober does, by the host's process numbers.
            "PidMode": "host",
            "CapAdd": ["KILL"],
            "RestartPolicy": {"Name": "unless-stopped"},
            "Binds": [
                f"{disk_directory(cluster)}/prober:{INSIDE}:ro",
                "/var/run/docker.sock:/var/run/docker.sock",
            ],
            "Memory": _MEMORY_BYTES,
        },
        command=[f"{INSIDE}/{PROBES}"],
        Env=[f"PYTHONPATH={INSIDE}/{PROGRAM}-{digest}"],
        WorkingDir="/",
    )
