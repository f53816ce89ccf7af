"""What a host that boots alone is given: its files, and the container that brings it up. Pure."""

import json
import shlex
from typing import Any

from reconciler.model.names import (
    SYSTEM_BOOT,
    boot_directory,
    disk_directory,
    memory_directory,
)
from reconciler.model.operations import MakeDirectory
from reconciler.model.setups import BootPart, BootPod
from reconciler.nodes.docker.system_request import system_request
from reconciler.nodes.pods.pins import SCRIPT
from reconciler.nodes.pods.volume_scripts import MAKE_IN_MEMORY, volume_script
from reconciler.nodes.pods.volumes import options_of
from reconciler.nodes.prober.container import action_of, probe_of, program

INSIDE = "/etc/reconciler"
"""Where the container sees the host's directory, read-only; docs/reference/host-contract.md."""
FILES, PINS, NETWORK, MEMORY, PODS, VOLUMES, ATTENDED = (
    "files.sh",
    "pins.sh",
    "network.sh",
    "memory",
    "pods",
    "volumes",
    "attended",
)
_MEMORY_BYTES = 2 << 30
"""What it writes into memory, whatever the mount, counts as its own: up to 1 MiB a ConfigMap, for each pod."""
_PIDS = 128
_CAPABILITIES = (
    # To enter the namespaces of the host's first process, and to mount there.
    *("SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE"),
    # Interfaces, routes, iptables, the module that policies need, and files with the owners they are to have.
    *("NET_ADMIN", "NET_RAW", "SYS_MODULE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"),
    # A hook or a startup probe that takes too long is ended, whoever its container runs as.
    "KILL",
)


def files_script(cluster: str) -> str:
    """Puts the files of pods where a boot has taken them away: what is there stays as it is."""
    disk, memory = disk_directory(cluster), memory_directory(cluster)
    return f"""\
cd {disk}/boot || exit
for script in {MEMORY}/*.sh; do
    [ ! -e "$script" ] || sh "$script" </dev/null
done
for script in {VOLUMES}/*/*.sh; do
    kept=${{script%.sh}}
    [ ! -e "$kept.tar" ] || [ -e "{memory}/{PODS}/${{kept#{VOLUMES}/}}" ] || sh "$script" <"$kept.tar"
done
[ ! -d {disk}/pins ] || sh {PINS} >/dev/null
"""


def memory_script(cluster: str, directory: MakeDirectory) -> str:
    """Makes a directory in memory that is not there."""
    words = (memory_directory(cluster), directory.uid, directory.volume, options_of(directory))
    return volume_script(MAKE_IN_MEMORY, words)


def pins_script(cluster: str) -> str:
    """Makes everything that containers mount by a pin."""
    words = (memory_directory(cluster), disk_directory(cluster), "all")
    return f"set -- {shlex.join(words)}\n{SCRIPT}"


def pod_record(pod: BootPod) -> str:
    """Describe a pod to the program that boots a host, as reconciler/prober/boot_pods.py reads it."""
    return json.dumps({"uid": pod.uid, "sandbox": pod.sandbox, "parts": [_part(part) for part in pod.parts]})


def _part(part: BootPart) -> dict[str, Any]:
    return {
        "container": part.container,
        "kind": part.kind,
        "restarts": part.restarts,
        "post_start": action_of(part.post_start) if part.post_start else None,
        "startup": probe_of(part.startup) if part.startup else None,
    }


def container_request(cluster: str, image: str) -> dict[str, Any]:
    """The body of Docker's create request; its own hash, and with it the program's, is one of the labels."""
    _, digest = program()
    return system_request(
        cluster,
        SYSTEM_BOOT,
        image,
        ["python3", "-B", "-m", "reconciler.prober.boot"],
        {
            # Of the host: where its first process is, hooks of pods are asked from, and root is root.
            "PidMode": "host",
            "UsernsMode": "host",
            "Binds": [
                f"{boot_directory(cluster)}:{INSIDE}:ro",
                "/var/run/docker.sock:/var/run/docker.sock",
            ],
            "Memory": _MEMORY_BYTES,
            "PidsLimit": _PIDS,
            "CapAdd": list(_CAPABILITIES),
            # AppArmor's profile for containers forbids to mount.
            "SecurityOpt": ["no-new-privileges", "apparmor=unconfined"],
        },
        command=[cluster, boot_directory(cluster), INSIDE],
        Env=[f"PYTHONPATH={INSIDE}/program-{digest}"],
        WorkingDir="/",
    )
