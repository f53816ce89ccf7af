"""What a full listing asks Docker, and what it takes from the listing before."""

from typing import Any

from reconciler.nodes.view import HostView
from reconciler.nodes.watching import Watcher

LABELS = {"reconciler.dev/cluster": "demo", "reconciler.dev/uid": "u1", "reconciler.dev/container": "app"}


class CountingEngine:
    """One container of ours; counts how often it is inspected."""

    def __init__(self) -> None:
        self.inspected = 0
        self.status = "Up 5 minutes"
        self.name = "app"

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        state = "exited" if self.status.startswith("Exited") else "running"
        entry = {"Id": "c1", "Names": [f"/{self.name}"], "Labels": LABELS, "Status": self.status, "State": state}
        return [entry]

    def inspect_container(self, container: str) -> dict[str, Any]:
        self.inspected += 1
        state = {"Status": self.containers()[0]["State"], "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": 0}
        config = {"Image": "web:1", "Labels": LABELS}
        return {"Id": "c1", "Name": f"/{self.name}", "Config": config, "State": state, "NetworkSettings": {}}


def listed(engine: CountingEngine, *statuses: str) -> int:
    """How often the container was inspected in a listing of each status, after the first."""
    watcher = Watcher(engine, "demo", HostView(lambda: None))  # type: ignore[arg-type]
    watcher.list_all()
    engine.inspected = 0
    for status in statuses:
        engine.status = status
        watcher.list_all()
    return engine.inspected


def test_what_has_been_so_for_minutes_is_not_inspected_again() -> None:
    assert listed(CountingEngine(), "Up 5 minutes", "Up About an hour", "Up 3 hours") == 0


def test_what_began_or_ended_a_moment_ago_is() -> None:
    assert listed(CountingEngine(), "Up Less than a second", "Up 40 seconds", "Up About a minute") == 3
    assert listed(CountingEngine(), "Exited (1) 5 minutes ago") == 1, "it ran in the listing before"


def test_what_has_another_name_is() -> None:
    engine = CountingEngine()
    watcher = Watcher(engine, "demo", HostView(lambda: None))  # type: ignore[arg-type]
    watcher.list_all()
    engine.name, engine.inspected = "renamed", 0
    watcher.list_all()
    assert engine.inspected == 1
