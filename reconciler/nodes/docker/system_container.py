"""A container of ours that belongs to the node, not to a pod: HAProxy's, the name servers', the prober's."""

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.model.names import LABEL_CLUSTER, LABEL_CONTAINER, LABEL_HASH, system_name
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.errors import EngineError, NotOurs
from reconciler.nodes.pods.attached import attachments_of, detached
from reconciler.nodes.ssh.shell import Shell

RecordRepair = Callable[[str], None]
"""Called with what of the host somebody else had changed, in words."""
Inspected = Mapping[str, Any]
"""What Docker says of a container when it is inspected."""
_SIGNAL_SECONDS = 5.0
_SIGNAL = """\
while read -r group; do
    case $group in *"$1"*) kill -s "$3" "$2"; exit ;; esac
done <"/proc/$2/cgroup"
exit 1
"""
"""Only a process of the container: its number may be another's by now."""


def is_made_from(found: Inspected, request: Mapping[str, Any]) -> bool:
    """The container was made from this request, by the hash that is one of its labels."""
    return bool((found["Config"].get("Labels") or {}).get(LABEL_HASH) == request["Labels"][LABEL_HASH])


class SystemContainer:
    """One of the containers that we run on a host for the node. Used by one thread; any method may raise
    NodeError."""

    def __init__(
        self,
        cluster: str,
        part: str,
        engine: Engine,
        watcher: Watcher,
        host: Shell,
        record_repair: RecordRepair = lambda _: None,
    ) -> None:
        self.name = system_name(cluster, part)
        self._labels = {LABEL_CLUSTER: cluster, LABEL_CONTAINER: part}
        self._engine = engine
        self._watcher = watcher
        self._host = host
        self._record_repair = record_repair
        self._process = ("", 0)
        """Of the one that ran when it was last looked at: its id, and its first process."""

    def runs_as(self, request: Mapping[str, Any]) -> bool:
        """It runs right now, and as the request says."""
        found = self.ours()
        return found is not None and found["State"]["Status"] == "running" and self.is_as(found, request)

    def is_as(self, found: Inspected, request: Mapping[str, Any]) -> bool:
        """Made from the request, and with the directories that the host has now."""
        if not is_made_from(found, request):
            return False
        gone = detached(self._host, attachments_of(found))
        if gone:
            self._record_repair(f"the directory of {self.name}, which is made anew")
        return not gone

    def ensure(self, request: Mapping[str, Any], anew: bool = False) -> None:
        """Have it run as the request says; `anew`: another one, whatever there is."""
        found = self.ours()
        if found is not None and (anew or not self.is_as(found, request)):
            self.remove(found)
            found = None
        if found is None:
            self.make(request)
        else:
            self.resume(found)

    def find(self) -> Inspected | None:
        """Inspect the container of this name, whoever made it; None: there is none."""
        self._process = "", 0
        try:
            with engine_errors(f"inspect {self.name}"):
                found: dict[str, Any] = self._engine.inspect_container(self.name)
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        if found["State"]["Status"] == "running" and self.is_ours(found):
            self._process = found["Id"], found["State"]["Pid"]
        return found

    def is_ours(self, found: Inspected) -> bool:
        labels = found["Config"].get("Labels") or {}
        return all(labels.get(key) == value for key, value in self._labels.items())

    def ours(self) -> Inspected | None:
        """Raises NotOurs, too."""
        found = self.find()
        if found is not None and not self.is_ours(found):
            raise NotOurs(f"a container named {self.name} exists and is not ours; rename or remove it by hand")
        return found

    def make(self, request: Mapping[str, Any]) -> str:
        """Make and start it; returns its id."""
        with engine_errors(f"create {self.name}"):
            made = self._engine.create(self.name, dict(request))
        self._start(made)
        return made

    def resume(self, found: Inspected) -> bool:
        """Have it run; True if it had ended."""
        match found["State"]["Status"]:
            case "running" | "restarting":
                return False
            case "paused":
                with engine_errors(f"unpause {self.name}"):
                    self._engine.unpause(found["Id"])
                self._watcher.look_at(found["Id"])
                return False
            case _:
                self._start(found["Id"])
                return True

    def remove(self, found: Inspected) -> None:
        with engine_errors(f"remove {self.name}"):
            self._engine.remove_container(found["Id"], force=True, v=True)
        self._watcher.look_at(found["Id"])

    def signal(self, signal: str) -> None:
        """`USR1`, say. By the host's own hand: Docker takes tens of milliseconds for it."""
        container_id, process = self._process
        words = (container_id, str(process), signal)
        if not process or self._host.run(["sh", "-c", _SIGNAL, "sh", *words]).status != 0:
            with engine_errors(f"signal {self.name}"):
                self._engine.kill_within(self.name, f"SIG{signal}", _SIGNAL_SECONDS)

    def last_words(self, lines: int) -> str:
        with engine_errors(f"the log of {self.name}"):
            log: bytes = self._engine.logs(self.name, tail=lines)
        return log.decode(errors="replace").strip()

    def _start(self, container_id: str) -> None:
        try:
            with engine_errors(f"start {self.name}"):
                self._engine.start(container_id)
        finally:
            self._watcher.look_at(container_id)
        self.find()
