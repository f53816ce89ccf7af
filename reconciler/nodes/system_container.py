"""A container of ours that belongs to the node, not to a pod: made, started and replaced as its request says."""

from collections.abc import Mapping
from typing import Any

from reconciler.model.names import LABEL_CLUSTER, LABEL_CONTAINER, LABEL_HASH
from reconciler.nodes.engine import Engine, engine_errors
from reconciler.nodes.errors import EngineError, NotOurs
from reconciler.nodes.shell import Shell
from reconciler.nodes.watching import Watcher

_SIGNAL_SECONDS = 5.0
_SIGNAL = """\
while read -r group; do
    case $group in *"$1"*) kill -s "$3" "$2"; exit ;; esac
done <"/proc/$2/cgroup"
exit 1
"""
"""Only a process of the container: its number may be another's by now."""


class SystemContainer:
    """For one connection; used by one thread."""

    def __init__(self, name: str, engine: Engine, watcher: Watcher, host: Shell) -> None:
        self.name = name
        self._engine = engine
        self._watcher = watcher
        self._host = host
        self._process = ("", 0)
        """Of the container that runs: its id, and its first process."""

    def ensure(self, request: Mapping[str, Any], anew: bool = False) -> None:
        """Have it run as the request says, its labels included; `anew`: another one, whatever there is."""
        existing = self._find()
        if existing is not None:
            labels = existing["Config"].get("Labels") or {}
            if any(labels.get(key) != request["Labels"][key] for key in (LABEL_CLUSTER, LABEL_CONTAINER)):
                raise NotOurs(f"a container named {self.name} exists and is not ours; rename or remove it by hand")
            state = existing["State"]["Status"]
            if labels.get(LABEL_HASH) == request["Labels"][LABEL_HASH] and state != "paused" and not anew:
                if state != "running":
                    self._start(existing["Id"])
                else:
                    self._process = existing["Id"], existing["State"]["Pid"]
                return
            with engine_errors(f"remove {self.name}"):
                self._engine.remove_container(existing["Id"], force=True, v=True)
            self._watcher.look_at(existing["Id"])
        with engine_errors(f"create {self.name}"):
            made = self._engine.create(self.name, dict(request))
        self._start(made)

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

    def _find(self) -> dict[str, Any] | None:
        try:
            with engine_errors(f"inspect {self.name}"):
                found: dict[str, Any] = self._engine.inspect_container(self.name)
        except EngineError as error:
            if error.status == 404:
                return None
            raise
        return found

    def _start(self, container_id: str) -> None:
        self._process = "", 0
        try:
            with engine_errors(f"start {self.name}"):
                self._engine.start(container_id)
        finally:
            self._watcher.look_at(container_id)
        if (started := self._find()) is not None:
            self._process = started["Id"], started["State"]["Pid"]
