"""A node's own container: made, started, replaced, signalled; one that is not ours is left alone."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from reconciler.model.names import LABEL_CLUSTER, LABEL_CONTAINER, LABEL_HASH
from reconciler.nodes.docker.system_container import SystemContainer
from reconciler.nodes.errors import EngineError, NotOurs
from reconciler.nodes.ssh.shell import CommandResult

LABELS = {LABEL_CLUSTER: "shop", LABEL_CONTAINER: "DNS", LABEL_HASH: "h"}
REQUEST = {"Image": "i", "Labels": LABELS}


class Engine:
    """One container, or none; and a shell on its host."""

    def __init__(self, state: str = "", **labels: str) -> None:
        self.found: dict[str, Any] | None = self._made({**LABELS, **labels}, state) if state else None
        self.done: list[str] = []
        self.reused = False
        """The process's number is another's by now."""

    def inspect_container(self, name: str) -> dict[str, Any]:
        if self.found is None:
            raise EngineError(404, "no such container")
        return self.found

    def create(self, name: str, request: dict[str, Any]) -> str:
        self.done.append("create")
        self.found = self._made(request["Labels"], "created")
        return "id"

    def start(self, container_id: str) -> None:
        self.done.append("start")
        assert self.found is not None
        self.found = self._made(self.found["Config"]["Labels"], "running")

    def unpause(self, container_id: str) -> None:
        self.done.append("unpause")

    def remove_container(self, container_id: str, force: bool, v: bool) -> None:
        self.done.append("remove")
        self.found = None

    def kill_within(self, name: str, signal: str, seconds: float) -> None:
        self.done.append(f"docker kill {signal}")

    def look_at(self, container_id: str) -> None: ...

    def run(self, argv: Sequence[str], stdin: str | None = None, timeout: float = 5.0) -> CommandResult:
        self.done.append(" ".join(argv[-3:]))
        return CommandResult(int(self.reused), "", "")

    @staticmethod
    def _made(labels: dict[str, str], state: str) -> dict[str, Any]:
        return {"Id": "id", "Config": {"Labels": labels}, "State": {"Status": state, "Pid": 42}}


def container(engine: Engine) -> SystemContainer:
    stand_in = cast(Any, engine)
    return SystemContainer("shop", "DNS", stand_in, stand_in, stand_in)


@pytest.mark.parametrize(
    ("engine", "done"),
    [
        (Engine(), ["create", "start"]),
        (Engine("running"), []),
        (Engine("exited"), ["start"]),
        (Engine("paused"), ["unpause"]),
        (Engine("running", **{LABEL_HASH: "old"}), ["remove", "create", "start"]),
    ],
)
def test_what_is_there_becomes_what_is_wanted(engine: Engine, done: list[str]) -> None:
    container(engine).ensure(REQUEST)
    assert engine.done == done


def test_one_that_is_right_can_be_made_anew() -> None:
    engine = Engine("running")
    container(engine).ensure(REQUEST, anew=True)
    assert engine.done == ["remove", "create", "start"]


@pytest.mark.parametrize("label", [LABEL_CLUSTER, LABEL_CONTAINER])
def test_one_that_is_not_ours_is_left_alone(label: str) -> None:
    engine = Engine("running", **{label: "other"})
    with pytest.raises(NotOurs, match="shop_dns exists and is not ours"):
        container(engine).ensure(REQUEST, anew=True)
    assert engine.done == []


@pytest.mark.parametrize("engine", [Engine(), Engine("running")])
def test_its_first_process_is_signalled_by_the_host(engine: Engine) -> None:
    ours = container(engine)
    ours.ensure(REQUEST)
    engine.done.clear()
    ours.signal("USR1")
    assert engine.done == ["id 42 USR1"]


def test_a_number_that_is_anothers_by_now_is_left_to_docker() -> None:
    engine = Engine("running")
    ours = container(engine)
    ours.ensure(REQUEST)
    engine.reused = True
    ours.signal("USR1")
    assert engine.done == ["id 42 USR1", "docker kill SIGUSR1"]
