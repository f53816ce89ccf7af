"""A container from run to run: who is touched, in which order, and how often."""

import asyncio
import datetime
from typing import Any

import pytest

from reconciler.prober import schedule, watched_container
from reconciler.prober.docker import Docker
from reconciler.prober.reports import ProbeReport
from reconciler.prober.specs import Handler, ProbeSettings, ProbeTarget
from reconciler.prober.watched_container import WatchedContainer

ID = "0123456789abcdef"


class FakeDocker(Docker):
    """One container, whose commands exit with `code`; a restart is another run of it."""

    def __init__(self, cluster: str = "shop") -> None:
        super().__init__("/nowhere")
        self.code = 0
        self.done: list[str] = []
        self.running = True
        self.cluster = cluster
        self.runs = 1
        self.moments: dict[int, str] = {}
        self.policy, self.exit_code = "unless-stopped", 137

    async def inspect(self, container: str) -> dict[str, Any]:
        moment = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{self.runs}Z"
        started_at = self.moments.setdefault(self.runs, moment)
        labels = {"reconciler.dev/cluster": self.cluster}
        state = {"Running": self.running, "Paused": False, "StartedAt": started_at, "ExitCode": self.exit_code}
        host = {"RestartPolicy": {"Name": self.policy}}
        return {"Id": ID, "Config": {"Labels": labels}, "State": state, "HostConfig": host}

    async def begin_exec(self, container: str, command: tuple[str, ...]) -> str:
        if command != ("check",):
            self.done.append(" ".join(command))
        return command[0]

    async def run_exec(self, exec_id: str, most: int) -> tuple[int, bytes]:
        return (self.code if exec_id == "check" else 0), b"said"

    async def restart(self, container: str, grace: float) -> None:
        self.done.append(f"restart {grace:.0f}")
        self.runs += 1

    async def stop(self, container: str, grace: float) -> None:
        self.done.append(f"stop {grace:.0f}")
        self.running = False

    async def start(self, container: str) -> None:
        self.done.append("start")
        self.running = True
        self.runs += 1


def liveness(period: float = 0.01) -> ProbeSettings:
    return ProbeSettings("liveness", Handler("exec", ("check",)), 0, period, 1, 1, 2, 30)  # type: ignore[arg-type]


def live(docker: FakeDocker, target: ProbeTarget, seconds: float = 0.3) -> list[ProbeReport]:
    told: list[ProbeReport] = []

    async def work() -> None:
        container = WatchedContainer(docker, "shop", target, told.append)
        await container.look()
        for _ in range(int(seconds / 0.05)):
            await asyncio.sleep(0.05)
            await container.look()
        container.end()

    asyncio.run(work())
    return told


def test_a_failing_container_is_restarted_after_its_hook_and_the_new_run_says_why() -> None:
    docker = FakeDocker()
    docker.code = 1
    told = live(docker, ProbeTarget("app", (liveness(),), Handler("exec", ("bye",)), True))
    # The second run is ended as soon as it fails; its next start has to wait.
    assert docker.done == ["bye", "restart 30", "bye", "stop 30"]
    before, after = (next(one for one in told if one.killed and one.run.endswith(f".{run}Z")) for run in (1, 2))
    assert before.message == after.message == "Liveness probe failed: said"
    assert after.killed == 1
    assert not any(one.ready for one in told if one.killed and one.run.endswith(".1Z"))


@pytest.mark.parametrize(("policy", "exit_code", "started"), [("no", 0, True), ("on-failure", 0, False)])
def test_the_next_start_is_made_when_nobody_else_has(
    monkeypatch: pytest.MonkeyPatch, policy: str, exit_code: int, started: bool
) -> None:
    monkeypatch.setattr(schedule, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(watched_container, "HEAD_START", 0.05)
    docker = FakeDocker()
    docker.code, docker.policy, docker.exit_code = 1, policy, exit_code
    live(docker, ProbeTarget("app", (liveness(),), None, True))
    assert docker.done[:2] == ["restart 30", "stop 30"]
    assert ("start" in docker.done) == started


def test_a_start_that_waits_is_given_up_with_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "FIRST_PAUSE", 0.2)
    monkeypatch.setattr(watched_container, "HEAD_START", 0.0)
    docker = FakeDocker()
    docker.code = 1

    async def work() -> None:
        container = WatchedContainer(docker, "shop", ProbeTarget("app", (liveness(),), None, True), lambda _: None)
        await container.look()
        for _ in range(200):
            await asyncio.sleep(0.02)
            await container.look()
            if not docker.running:
                break
        container.end()
        await asyncio.sleep(0.4)

    asyncio.run(work())
    assert docker.done == ["restart 30", "stop 30"]


def test_one_that_is_not_to_be_started_again_is_stopped() -> None:
    docker = FakeDocker()
    docker.code = 1
    live(docker, ProbeTarget("app", (liveness(),), None, False))
    assert docker.done == ["stop 30"]


def test_a_healthy_one_and_a_foreign_one_are_left_alone() -> None:
    assert live(docker := FakeDocker(), ProbeTarget("app", (liveness(),), None, True))[-1].ready
    assert docker.done == []
    foreign = FakeDocker("another")
    foreign.code = 1
    assert live(foreign, ProbeTarget("app", (liveness(),), None, True)) == []
    assert foreign.done == []


@pytest.mark.parametrize("moments", [{1: "2020-01-01T00:00:00.1Z"}, {}], ids=["for long", "a moment ago"])
def test_what_ran_before_is_unknown_until_its_probe_has_said_something(moments: dict[int, str]) -> None:
    async def work() -> tuple[ProbeReport | None, ProbeReport | None]:
        docker = FakeDocker()
        docker.moments = moments
        probe = ProbeSettings("readiness", Handler("exec", ("check",)), 0, 1, 1, 1, 2, 30)
        container = WatchedContainer(
            docker, "shop", ProbeTarget("app", (probe,), None, True), lambda _: None, booting=True
        )
        await container.look()
        first = container.report()
        await asyncio.sleep(1.2)
        second = container.report()
        container.end()
        return first, second

    first, second = asyncio.run(work())
    assert first is not None
    assert second is not None
    assert (first.known, second.known, second.ready) == (False, True, True)


def test_why_a_young_container_is_not_ready_is_told_after_the_first_answer() -> None:
    async def work() -> ProbeReport | None:
        docker = FakeDocker()
        docker.code = 1
        probe = ProbeSettings("startup", Handler("exec", ("check",)), 0, 1, 1, 1, 60, 30)
        container = WatchedContainer(
            docker, "shop", ProbeTarget("app", (probe,), None, True), lambda _: None, booting=True
        )
        await container.look()
        await asyncio.sleep(1.2)
        told = container.report()
        container.end()
        return told

    told = asyncio.run(work())
    assert told is not None
    assert (told.known, told.ready) == (True, False)
    assert told.message.startswith("Startup probe failed")
