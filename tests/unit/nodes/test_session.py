"""A session and its works, over a connection in memory: who waits for whom."""

import queue
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from reconciler.model.api.cluster import Cluster, ClusterSpec
from reconciler.model.api.core.node import Node, SshAddress
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.container_config import ContainerConfig, PodAddress
from reconciler.model.names import LABEL_CLUSTER, LABEL_UID, Ref
from reconciler.model.operations import (
    ContainerStop,
    CreateContainer,
    Operation,
    Outcome,
    PodWork,
    PullImage,
    StartContainer,
    StopContainers,
)
from reconciler.model.probes import RunCommand
from reconciler.nodes import Credentials, SshNodeSession, session
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.errors import ConnectionLost, EngineError
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.pods.volumes import PodFiles
from reconciler.nodes.pods.worker import PodWorker
from reconciler.nodes.ssh.shell import Shell

DEADLINE = 60.0
NODE = Node(ObjectMeta("node-1"), SshAddress("root", "192.0.2.1", 22), host_key="")
CLUSTER = Cluster(ObjectMeta("demo"), ClusterSpec())


class SlowEngine:
    """Whatever is asked for runs and does not end, whatever it is sent; a command takes until `ended`."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended
        self.asked: queue.SimpleQueue[str] = queue.SimpleQueue()
        """One for each that has come so far that it waits."""

    def inspect_container(self, container: str) -> dict[str, Any]:
        if self._ended.is_set():
            raise ConnectionLost("the connection is closed")
        if container == "new":
            raise EngineError(404, "no such container")
        return {
            "Id": container,
            "Name": f"/{container}",
            "Image": "sha256:1",
            "State": {"Status": "running", "StartedAt": "t1"},
            "Config": {"Labels": {LABEL_CLUSTER: "demo", LABEL_UID: container}, "Image": "web:1"},
        }

    def image_labels(self, image: str) -> dict[str, str]:
        return {}

    def kill_within(self, container_id: str, signal: str, seconds: float) -> None:
        self.asked.put(container_id)

    def start(self, container_id: str) -> None:
        pass

    def exec_create(self, container_id: str, command: list[str]) -> dict[str, str]:
        self.asked.put(container_id)
        return {"Id": container_id}

    def exec_output(self, exec_id: str, seconds: float, most: int) -> bytes:
        self._ended.wait()
        return b""

    def exec_start(self, exec_id: str, detach: bool) -> None:
        pass

    def exec_inspect(self, exec_id: str) -> dict[str, Any]:
        return {"Running": not self._ended.is_set(), "ExitCode": 0}

    def create(self, name: str, request: dict[str, Any]) -> str:
        return "made"

    def pull(self, image: str, logins: object) -> None:
        self.asked.put(image)
        self._ended.wait()


class NoRecords(PodFiles):
    """Of a host that keeps none for its next boot."""

    def leaves(self, uid: str) -> None: ...


class MemoryConnection:
    """As much of a Connection as a session asks for."""

    def __init__(self, cache: HostCache, engine: Any, begun: threading.Event, ended: threading.Event) -> None:
        shell = Shell(lambda: pytest.fail("nothing is to be asked of the shell"), "node-1")
        files = NoRecords("demo", shell, cache)
        self.notes: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.engine_id = "engine"
        self.silent = ""
        self.watcher = Watcher(engine, "demo", cache)
        self.worker = PodWorker(
            "demo",
            engine,
            shell,
            lambda *_: pytest.fail("no URL is to be asked for"),
            files,
            engine,
            cache,
            self.watcher,
            structlog.get_logger(),
        )
        self.ssh = SimpleNamespace(alive=True, close=ended.set, pulse=lambda _: True, is_local=False)
        self.lease = SimpleNamespace(held=1, lost=None, may_act=True, rest=lambda: None, release=lambda: None)
        self.found = None
        self._begun, self._ended = begun, ended

    def begin(self) -> None:
        self._begun.set()

    def catch_up(self, noted: object) -> None: ...

    def beat(self) -> None: ...

    def list_all(self) -> None: ...

    def changed(self) -> None: ...

    def close(self) -> None:
        self._ended.set()


class Hands:
    """A session, and who listens to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ended, self.begun = threading.Event(), threading.Event()
        self.opening, self.answers = threading.Event(), threading.Event()
        self.answers.set()
        self.engine = SlowEngine(self.ended)
        self.outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

        def opened(_node: object, _cluster: object, cache: HostCache, *_: object) -> MemoryConnection:
            self.opening.set()
            self.answers.wait()
            self.connection = MemoryConnection(cache, self.engine, self.begun, self.ended)
            return self.connection

        monkeypatch.setattr(session, "Connection", SimpleNamespace(open=opened))
        self.told = 0

    def connect(self) -> SshNodeSession:
        self.session = SshNodeSession(NODE, CLUSTER, self, Credentials(()), "")
        assert self.opening.wait(DEADLINE)
        return self.session

    def observed(self, node: str) -> None:
        self.told += 1

    def finished(self, node: str, outcome: Outcome) -> None:
        self.outcomes.put(outcome)

    def submit(self, uid: str, *operations: Operation) -> None:
        self.session.submit(PodWork("node-1", Ref("Pod", "default", uid), uid, operations))


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hands]:
    hands = Hands(monkeypatch)
    try:
        yield hands
    finally:
        hands.answers.set()
        hands.session.close()
        hands.ended.set()


def test_works_that_wait_delay_no_other(hands: Hands) -> None:
    hands.connect()
    assert hands.begun.wait(DEADLINE)
    hook = RunCommand(("sleep", "3600"))
    waiting = 40
    for number in range(waiting):
        for slow, operation in (
            ("stop", StopContainers((ContainerStop(f"stop-{number}"),), 3600)),
            ("hook", StopContainers((ContainerStop(f"hook-{number}", hook),), 3600)),
            ("start", StartContainer(f"start-{number}", hook)),
            ("pull", PullImage(f"pull-{number}")),
        ):
            hands.connection.watcher.look_at(f"{slow}-{number}")
            hands.submit(f"{slow}-{number}", operation)
    asked = {hands.engine.asked.get(timeout=DEADLINE) for _ in range(4 * waiting)}
    assert len(asked) == 4 * waiting
    assert hands.connection.worker.awaited_images() == {f"pull-{number}" for number in range(waiting)}
    labels = {LABEL_CLUSTER: "demo", LABEL_UID: "new"}
    hands.submit("new", CreateContainer(ContainerConfig("new", "web:1", labels, PodAddress("10.244.1.2"))))
    outcome = hands.outcomes.get(timeout=DEADLINE)
    assert (outcome.work.uid, outcome.failed) == ("new", None)


def test_a_session_that_is_stopped_while_it_connects_never_begins(hands: Hands) -> None:
    hands.answers.clear()
    session = hands.connect()
    session.stop()
    ended_before = session.ended
    hands.answers.set()
    deadline = time.monotonic() + DEADLINE
    while not session.ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (ended_before, session.ended) == (False, True)
    assert hands.ended.is_set()
    assert not hands.begun.is_set()
    assert hands.told == 0
