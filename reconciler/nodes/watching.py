"""Looks at Docker for the view: everything at connect and every so often, one container when an event names it.

Called by the session's thread; acting.py uses `look_at` after each of its operations, to not wait for the event.
"""

import contextlib
import queue
from collections.abc import Mapping
from typing import Any

from reconciler.model.names import LABEL_CLUSTER
from reconciler.nodes.docker_replies import (
    read_container,
    read_image_tags,
    read_listed,
    read_listed_ports,
    read_ports,
)
from reconciler.nodes.engine import Engine, engine_errors
from reconciler.nodes.errors import EngineError, OutcomeUnknown
from reconciler.nodes.view import HostView, Seen

IMAGES_CHANGED = ""
"""In the queue of events, where the others are container ids."""
_FILTERS = {
    "type": ["container", "image"],
    "event": [
        *("create", "start", "die", "destroy", "pause", "unpause", "rename", "oom", "restart", "update"),
        *("pull", "tag", "untag", "delete", "import", "load"),
    ],
}


class Watcher:
    def __init__(self, engine: Engine, cluster: str, view: HostView) -> None:
        self._engine = engine
        self._cluster = cluster
        self._view = view

    def list_all(self) -> None:
        """Every container, ours in full. Raises NodeError, and changes nothing then.

        Of one whose inspect hangs or fails, as much as the list says: it must not hide all the others."""
        ticket = self._view.look()
        found: dict[str, Seen] = {}
        with engine_errors("list containers"):
            listed = self._engine.containers(all=True)
        for entry in listed:
            if (entry.get("Labels") or {}).get(LABEL_CLUSTER) == self._cluster:
                with contextlib.suppress(_Gone):
                    found[entry["Id"]] = self._inspect_listed(entry)
            else:
                found[entry["Id"]] = Seen(None, read_listed(entry).name, read_listed_ports(entry))
        self._view.list_all(ticket, found)

    def look_at(self, container: str) -> None:
        """One container, by its id or, for one that exists, its name."""
        ticket = self._view.look()
        try:
            container_id, seen = self._inspect(container)
        except _Gone:
            self._view.saw(ticket, container, None)
        else:
            self._view.saw(ticket, container_id, seen)

    def images(self) -> frozenset[str]:
        with engine_errors("list images"):
            return read_image_tags(self._engine.images())

    def look_at_images(self) -> None:
        self._view.has_images(self.images())

    def catch_up(self, noted: frozenset[str]) -> None:
        """What the events name. A container whose inspect hangs or fails is left to the next full list."""
        for container_id in noted:
            with contextlib.suppress(OutcomeUnknown, EngineError):
                self.look_at_images() if container_id == IMAGES_CHANGED else self.look_at(container_id)

    def _inspect_listed(self, entry: Mapping[str, Any]) -> Seen:
        try:
            return self._inspect(entry["Id"])[1]
        except (OutcomeUnknown, EngineError):
            listed = read_listed(entry)
            return Seen(listed, listed.name, read_listed_ports(entry))

    def _inspect(self, container: str) -> tuple[str, Seen]:
        try:
            with engine_errors(f"inspect {container}"):
                inspected = self._engine.inspect_container(container)
        except EngineError as error:
            if error.status == 404:
                raise _Gone(container) from error
            raise
        return inspected["Id"], _seen(inspected, self._cluster)


def follow_events(engine: Engine, since: str, notes: "queue.SimpleQueue[str]") -> None:
    """Put what each event is about into `notes`, until the stream ends. Raises NodeError when it breaks."""
    with engine_errors("events"):
        for event in engine.events_since(since, _FILTERS):
            notes.put(note_of(event))


def note_of(event: Mapping[str, Any]) -> str:
    return event["Actor"]["ID"] if event.get("Type") == "container" else IMAGES_CHANGED


def _seen(inspected: Mapping[str, Any], cluster: str) -> Seen:
    container = read_container(inspected)
    return Seen(container if container.cluster == cluster else None, container.name, read_ports(inspected))


class _Gone(Exception):
    pass
