"""What a host needs to come up when it boots and no master comes: scripts, records of its pods, and a container.

Called by node_setup.py after everything else. What the files say is what the session itself has just done, in its
own words; reconciler/prober/boot.py is the program that does it again.
"""

from collections.abc import Mapping

from reconciler.model.names import boot_directory
from reconciler.model.observed import BootState
from reconciler.model.setups import BootPod, NodeBoot
from reconciler.nodes.boot.container import (
    ATTENDED,
    FILES,
    MEMORY,
    NETWORK,
    PINS,
    PODS,
    container_request,
    files_script,
    memory_script,
    pins_script,
    pod_record,
)
from reconciler.nodes.docker.system_container import SystemContainer
from reconciler.nodes.docker.text_tar import packed, unpacked
from reconciler.nodes.prober.container import PROGRAM, WRITE_PROGRAM, program
from reconciler.nodes.ssh.shell import Shell

_SECONDS = 15.0
_ATTEND = '[ ! -d "$1" ] || : >"$1/$2"'
_READ = """\
cd "$1" 2>/dev/null || exit 0
for folder in pods memory; do
    [ ! -d "$folder" ] || set -- "$@" "$folder"
done
shift
tar -c --ignore-failed-read -- *.sh "$@" 2>/dev/null
"""
_WRITE = f"""\
set -e
mkdir -p -m 0755 "${{1%/*}}"
umask 077
mkdir -p "$1"
cd "$1"
shift
rm -rf .new
mkdir -p .new/{PODS} {PODS} .new/{MEMORY} {MEMORY}
tar -x -m -C .new
[ $# = 0 ] || rm -f -- "$@"
set -- .new/*.sh
[ ! -e "$1" ] || mv -f -- "$@" .
for folder in {PODS} {MEMORY}; do
    set -- .new/"$folder"/*
    [ ! -e "$1" ] || mv -f -- "$@" "$folder"
done
"""


class BootKeeper:
    """What one host needs to boot alone. Used by the setup thread alone; any method may raise NodeError."""

    def __init__(self, cluster: str, container: SystemContainer, host: Shell) -> None:
        self._cluster = cluster
        self._container = container
        self._host = host
        self._directory = boot_directory(cluster)
        self._network = ""
        self._pods: Mapping[str, tuple[BootPod, str]] = {}
        """Those of the last request, with their records."""
        self._files: dict[str, str] | None = None
        """Those on the host; None: not known."""
        self._image = ""
        """Of the container that is known to be there."""

    def attend(self) -> None:
        """A master is here: pods are its own work from now on."""
        self._host.run(["sh", "-c", _ATTEND, "sh", self._directory, ATTENDED])

    def keep_network(self, script: str) -> None:
        """Keep this script for the next boot; it is written with the next `ensure`."""
        self._network = script

    def ensure(self, wanted: NodeBoot, full: bool) -> BootState:
        """`full`: look at the host too, not only at what has changed."""
        if full or self._files is None:
            archive = self._host.read(["sh", "-c", _READ, "sh", self._directory], timeout=_SECONDS)
            self._files = unpacked(archive.encode())
        self._write(self._files, self._wanted_files(wanted))
        if full or self._image != wanted.image:
            self._image = ""
            archive, digest = program()
            request = container_request(self._cluster, wanted.image)
            if not self._container.runs_as(request):
                words = ("sh", self._directory, PROGRAM, digest, "0700")
                self._host.check(["sh", "-c", WRITE_PROGRAM, *words], archive, _SECONDS)
                self._container.ensure(request, anew=True)
            self._image = wanted.image
        return BootState(wanted)

    def _wanted_files(self, wanted: NodeBoot) -> dict[str, str]:
        before = self._pods
        after: dict[str, tuple[BootPod, str]] = {}
        for pod in wanted.pods:
            known = before.get(pod.uid)
            after[pod.uid] = known if known is not None and known[0] == pod else (pod, pod_record(pod))
        self._pods = after
        files = {f"{PODS}/{uid}.json": record for uid, (_, record) in after.items()}
        for pod, _ in after.values():
            files |= {
                f"{MEMORY}/{one.uid}.{one.volume}.sh": memory_script(self._cluster, one) for one in pod.memory
            }
        files |= {FILES: files_script(self._cluster), PINS: pins_script(self._cluster)}
        if self._network:
            files[NETWORK] = self._network
        return files

    def _write(self, before: Mapping[str, str], after: dict[str, str]) -> None:
        changed = {path: text for path, text in after.items() if before.get(path) != text}
        gone = sorted(path for path in before.keys() - after.keys() if path.startswith((f"{PODS}/", f"{MEMORY}/")))
        if changed or gone:
            self._files = None
            doing = "writing what a boot needs"
            self._host.script(doing, _WRITE, (self._directory, *gone), packed(changed), _SECONDS)
            self._files = {**{path: text for path, text in before.items() if path not in gone}, **after}
