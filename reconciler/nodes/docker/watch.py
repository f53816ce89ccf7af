"""Looks at Docker, and records it: everything at connect and every so often, one container when an event names it.

Called by the session's thread; pods/worker.py uses `look_at` after each of its operations, to not wait for the
event.
"""

import contextlib
import queue
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from reconciler.model.names import LABEL_CLAIM, LABEL_CLUSTER
from reconciler.model.observed import Ended, ObservedContainer
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.docker.exits import end_of, failed, log_of
from reconciler.nodes.docker.looks import HostContainer
from reconciler.nodes.docker.notes import Note
from reconciler.nodes.docker.own_labels import OwnLabels
from reconciler.nodes.docker.replies import (
    read_container,
    read_image_tags,
    read_listed,
    read_listed_ports,
    read_ports,
)
from reconciler.nodes.errors import EngineError, OutcomeUnknown
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.pods.attached import attachments_of

IMAGES_CHANGED = ""
"""What stands for a change of images in the queue of events, where the others are container ids."""
_FILTERS = {
    "type": ["container", "image"],
    "event": [
        *("create", "start", "die", "destroy", "pause", "unpause", "rename", "oom", "restart", "update"),
        *("pull", "tag", "untag", "delete", "import", "load"),
    ],
}


_SINCE = re.compile(r"(?:Up|Exited \(\d+\)) (?:(\d+)|About an?) (second|minute|hour|day|week|month|year)s?\b")
_AT_LEAST = {"second": 1.0, "minute": 60.0}
"""Seconds: Docker rounds these down; the longer ones it rounds to the nearest, and an hour is enough of each."""
_HOUR = 3600.0


class Watcher:
    def __init__(self, engine: Engine, cluster: str, cache: HostCache) -> None:
        self._engine = engine
        self._cluster = cluster
        self._cache = cache
        self._listed_at = float("-inf")
        self._own = OwnLabels(cluster, engine)

    def list_all(self) -> None:
        """Every container, ours in full. Raises NodeError, and changes nothing then.

        One whose inspect hangs or fails must not hide all the others: it is taken to be as it was, and its pod to
        be busy. One that is still in the run that the last listing saw is not inspected again: a hundred would
        keep Docker busy.
        """
        began, ticket = time.monotonic(), self._cache.ticket()
        found: dict[str, HostContainer] = {}
        ends: dict[str, Ended] = {}
        with engine_errors("list containers"):
            listed = self._engine.containers(all=True)
        since_last = time.monotonic() - self._listed_at
        for entry in listed:
            if (entry.get("Labels") or {}).get(LABEL_CLUSTER) == self._cluster:
                known = self._cache.host_container(entry["Id"])
                if known is not None and _is_settled(entry, known, since_last):
                    found[entry["Id"]] = known
                    continue
                with contextlib.suppress(_Gone):
                    container, end = self._inspect_listed(entry)
                    found[entry["Id"]] = container
                    if end is not None:
                        ends[entry["Id"]] = end
            else:
                found[entry["Id"]] = HostContainer(None, read_listed(entry).name, read_listed_ports(entry))
        self._cache.record_all(ticket, found, ends)
        self._listed_at = began

    def look_at(self, container: str, note: Note | None = None) -> None:
        """One container, by its id or, for one that exists, its name; `note`: what events said of it."""
        ticket = self._cache.ticket()
        try:
            container_id, inspected, end = self._inspect(container, note)
        except _Gone:
            self._cache.record(ticket, container, None)
        else:
            self._cache.record(ticket, container_id, inspected, end)

    def images(self) -> frozenset[str]:
        with engine_errors("list images"):
            return read_image_tags(self._engine.images())

    def look_at_images(self) -> None:
        self._cache.record_images(self.images())

    def look_at_volumes(self) -> None:
        """Record the volumes of claims. Where Docker cannot say, a driver's plug-in may hang: then nothing
        changes."""
        labels = [f"{LABEL_CLUSTER}={self._cluster}", LABEL_CLAIM]
        with contextlib.suppress(OutcomeUnknown, EngineError), engine_errors("list volumes"):
            listed = self._engine.volumes(filters={"label": labels}).get("Volumes") or ()
            self._cache.record_volumes(frozenset(str(volume["Name"]) for volume in listed))

    def catch_up(self, noted: Mapping[str, Note]) -> None:
        """Look at what the events name. A container whose inspect hangs or fails is left to the next full list."""
        for about, note in noted.items():
            with contextlib.suppress(OutcomeUnknown, EngineError):
                self.look_at_images() if about == IMAGES_CHANGED else self.look_at(about, note)

    def _inspect_listed(self, entry: Mapping[str, Any]) -> tuple[HostContainer, Ended | None]:
        try:
            _, inspected, end = self._inspect(entry["Id"], None)
        except (OutcomeUnknown, EngineError):
            listed, known = read_listed(entry), self._cache.host_container(entry["Id"])
            if known is not None and known.ours is not None and known.ours.state == listed.state:
                listed = msgspec.structs.replace(known.ours, name=listed.name, inspected=False)
            return HostContainer(listed, listed.name, read_listed_ports(entry)), None
        else:
            return inspected, end

    def _inspect(self, container: str, note: Note | None) -> tuple[str, HostContainer, Ended | None]:
        try:
            with engine_errors(f"inspect {container}"):
                inspected = self._engine.inspect_container(container)
        except EngineError as error:
            if error.status == 404:
                raise _Gone(container) from error
            raise
        read = self._read(inspected)
        return inspected["Id"], read, self._end(read.ours, note, inspected) if read.ours is not None else None

    def _read(self, inspected: Mapping[str, Any]) -> HostContainer:
        container = read_container(inspected)
        ours = self._own.is_ours(inspected)
        if not ours:
            return HostContainer(None, container.name, read_ports(inspected))
        pid = int(inspected["State"].get("Pid") or 0)
        return HostContainer(container, container.name, read_ports(inspected), pid, attachments_of(inspected))

    def _end(self, now: ObservedContainer, note: Note | None, inspected: Mapping[str, Any]) -> Ended | None:
        before = self._cache.container_by_id(now.id)
        end = end_of(now, note, before.last_end if before is not None else None)
        if end is None or not failed(end):
            return end
        earlier = before.last_end.at if before is not None and before.last_end is not None else ""
        again = now.started_at if now.state == "running" else ""
        return msgspec.structs.replace(end, log=log_of(self._engine, inspected, earlier, end.at, again))


def _is_settled(entry: Mapping[str, Any], known: HostContainer, since_last: float) -> bool:
    """In the same state since before the last listing, `since_last` seconds ago."""
    if known.ours is None or not known.ours.inspected or not state_age(entry.get("Status") or "") > since_last:
        return False
    listed = read_listed(entry)
    now = (listed.name, listed.state, listed.ip, read_listed_ports(entry))
    return now == (known.name, known.ours.state, known.ours.ip, known.ports)


def state_age(status: str) -> float:
    """How long at least, in seconds, by Docker's words: `Up 45 seconds`, `Exited (1) About a minute ago`. Pure."""
    if (found := _SINCE.match(status)) is None:
        return 0.0
    count, unit = found.groups()
    return int(count or 1) * _AT_LEAST[unit] if unit in _AT_LEAST else _HOUR


def follow_events(engine: Engine, since: str, notes: "queue.SimpleQueue[Note]") -> None:
    """Put what each event is about into `notes`, until the stream ends. Raises NodeError when it breaks."""
    with engine_errors("events"):
        for note in noted(engine.events_since(since, _FILTERS)):
            notes.put(note)


def noted(events: Iterable[Mapping[str, Any]]) -> Iterator[Note]:
    """Yield what each event says. The end of a run that met its memory limit says so too: by the
    time that the end is looked at, the next run may have begun, and Docker have forgotten."""
    out_of_memory: set[str] = set()
    for note in map(note_of, events):
        if note.exit_code is None:
            if note.oom:
                out_of_memory.add(note.about)
            yield note
        else:
            yield Note(note.about, note.exit_code, note.about in out_of_memory)
            out_of_memory.discard(note.about)


def note_of(event: Mapping[str, Any]) -> Note:
    if event.get("Type") != "container":
        return Note(IMAGES_CHANGED)
    about, action, said = event["Actor"]["ID"], event.get("Action"), event["Actor"].get("Attributes") or {}
    code = str(said.get("exitCode", "")) if action == "die" else ""
    return Note(about, int(code) if code.isdecimal() else None, action == "oom")


class _Gone(Exception):
    pass
