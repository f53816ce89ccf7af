"""Names that Docker does not let go of, and containers that cannot be killed: deadlines, and words."""

from typing import Any

import pytest
import structlog

from reconciler.model.container_config import ContainerConfig, PodAddress
from reconciler.model.names import LABEL_CLUSTER, LABEL_UID
from reconciler.model.operations import ContainerStop
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.errors import EngineError
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.pods import container_runtime
from reconciler.nodes.pods import termination as stopping
from reconciler.nodes.pods.container_runtime import ContainerRuntime
from reconciler.nodes.pods.failures import Failed
from reconciler.nodes.pods.lifecycle_hooks import Hooks
from reconciler.nodes.pods.mounts import Mounts
from reconciler.nodes.pods.termination import Budget, Stopper
from reconciler.nodes.pods.volumes import PodFiles
from reconciler.nodes.ssh.shell import Shell

CONFIG = ContainerConfig("web", "web:1", {LABEL_CLUSTER: "demo", LABEL_UID: "u1"}, PodAddress("10.244.1.2"))


class StuckEngine:
    """One container, `web`; as much of an Engine as is asked for."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.left = -1
        """How often it is still found; negative: for ever."""
        self.signals: list[str] = []
        self.made = 0
        self.renames = False

    def image_labels(self, image: str) -> dict[str, str]:
        return {}

    def inspect_container(self, container: str) -> dict[str, Any]:
        if self.left == 0:
            raise EngineError(404, f"no such container: {container}")
        self.left -= 1
        labels = {LABEL_CLUSTER: "demo", LABEL_UID: "u1"}
        return {
            "Id": "c1",
            "Name": "/web",
            "Image": "sha256:1",
            "State": {"Status": self.status, "StartedAt": "t1"},
            "Config": {"Labels": labels, "Image": "web:1"},
        }

    def create(self, name: str, _request: dict[str, Any]) -> str:
        if self.left != 0:
            raise EngineError(409, f'Conflict. The container name "/{name}" is already in use')
        self.made += 1
        return "c2"

    def remove_container(self, container: str, v: bool) -> None:
        raise EngineError(409, f"removal of container {container} is already in progress")

    def rename(self, container: str, name: str) -> None:
        if not self.renames:
            raise EngineError(500, "no such luck")
        self.left = 0

    def kill_within(self, container_id: str, signal: str, seconds: float) -> None:
        self.signals.append(signal)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_runtime, "_REMOVAL_SECONDS", 0.3)
    monkeypatch.setattr(stopping, "_KILL_SECONDS", 0.1)


def on(engine: Any) -> tuple[ContainerRuntime, Stopper]:
    cache = HostCache(lambda: None)
    shell = Shell(lambda: pytest.fail("nothing is to be asked of the shell"), "node-1")
    mounts = Mounts(engine, shell, PodFiles("demo", shell, cache))
    found = ContainerRuntime(engine, mounts, "demo", cache, Watcher(engine, "demo", cache))
    found.see(found.find("web", "u1"))
    hooks = Hooks(engine, lambda *_: pytest.fail("no hook"), found.ended_within)
    return found, Stopper(found, hooks, structlog.get_logger())


def test_a_name_that_even_then_does_not_come_free_is_told() -> None:
    found, _ = on(StuckEngine("removing"))
    with pytest.raises(Failed, match="has been removing web for more than"):
        found.remove("web", "u1")
    with pytest.raises(Failed, match="keeps its name") as failure:
        found.create(CONFIG, "u1")
    assert failure.value.reason == "CreateContainerError"


@pytest.mark.fault(50)
def test_what_is_stuck_in_its_removal_is_put_aside_under_another_name() -> None:
    engine = StuckEngine("removing")
    engine.renames = True
    found, _ = on(engine)
    found.create(CONFIG, "u1")
    assert engine.made == 1


def test_a_name_that_comes_free_in_time_is_taken() -> None:
    engine = StuckEngine("removing")
    found, _ = on(engine)
    engine.left = 3
    found.create(CONFIG, "u1")
    assert engine.made == 1


@pytest.mark.fault(58)
def test_a_container_that_cannot_be_killed_is_told_after_its_deadline() -> None:
    engine = StuckEngine("running")
    _, stopper = on(engine)
    with pytest.raises(Failed, match="cannot be killed") as failure:
        stopper.stop_all((ContainerStop("web"),), "u1", 0.1, lambda remark: pytest.fail(str(remark)))
    assert failure.value.reason == "KillContainerError"
    assert engine.signals == ["SIGTERM", "SIGKILL"]


def test_later_stops_have_what_is_left_and_at_least_two_seconds() -> None:
    budget = Budget()
    assert budget.left(30) == 30
    assert 29 < budget.left(30) <= 30
    short = Budget()
    assert short.left(1) == 1
    assert short.left(10) == 2
    assert short.left(1) == 1
