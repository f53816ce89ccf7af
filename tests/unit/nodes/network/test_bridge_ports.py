"""Which ports of the bridge there are to bind: each start of a pod's container makes another one."""

import threading
import time
from typing import Any, cast

import pytest
import structlog
from msgspec.structs import replace

from reconciler.model.observed import ObservedContainer
from reconciler.nodes.errors import CommandFailed
from reconciler.nodes.network import bridge_ports as ports
from reconciler.nodes.network.bridge_ports import Ports, ports_of

ONE = ObservedContainer(
    "c1", "web", "i", "running", "shop", mac="02:42:0a:f4:01:02", namespace_key="ab12", started_at="1"
)


def test_each_run_of_who_holds_an_address_is_another_port() -> None:
    assert len(ports_of([ONE, replace(ONE, started_at="2"), replace(ONE, mac="02:42:0a:f4:01:03")])) == 3
    for without in (replace(ONE, state="exited"), replace(ONE, mac=""), replace(ONE, namespace_key="")):
        assert ports_of([without]) == frozenset()


class Host:
    """A cache and a shell, whose scripts fail at first."""

    def __init__(self, count: int, failing: int) -> None:
        self._containers = [replace(ONE, id=f"c{n}", mac=f"02:42:0a:f4:01:{n:02x}") for n in range(count)]
        self._failing = failing
        self.tried: list[float] = []
        self.bound: set[str] = set()

    def containers(self) -> list[ObservedContainer]:
        return self._containers

    def script(self, doing: str, script: str, words: Any, stdin: bytes, timeout: float) -> str:
        self.tried.append(time.monotonic())
        if len(self.tried) <= self._failing:
            raise CommandFailed("not now")
        self.bound |= set(stdin.decode().splitlines())
        return ""


@pytest.mark.parametrize("count", [1, 30])
def test_what_could_not_be_bound_is_tried_again_soon_and_not_at_once(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(ports, "_AGAIN_SECONDS", 0.2)
    host = Host(count, failing=2)
    keeper = Ports(cast(Any, host), cast(Any, host), structlog.get_logger(), lambda: True)
    thread = threading.Thread(target=keeper.work, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while len(host.bound) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    keeper.stop()
    thread.join(5)
    assert len(host.bound) == count
    assert host.tried[2] - host.tried[0] >= 0.35
    assert not thread.is_alive()
