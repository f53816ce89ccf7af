"""Several reconcilers at one cluster: one acts, and says so; what another one begins too late has no effect."""

import json
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from reconciler.lab import Lab
from tests.lab.load import Load
from tests.lab.world import World, deployment, engine_events, eventually, fetch, service
from tests.node_host import CLUSTER, connect, node_of, set_up

ROOT = Path(__file__).parents[2]
MADE = ("type=container", "event=create", "event=start", "event=die", "event=destroy")


def web(replicas: int, image: str = "lab/web:1.0") -> str:
    return deployment("web", replicas, image) + "---\n" + service("web", 30080)


def world_of(lab: Lab, directory: Path, replicas: int, image: str = "lab/web:1.0") -> World:
    """A state and manifests of its own, for the same hosts."""
    directory.mkdir()
    world = World(lab, directory)
    world.write("web.yaml", web(replicas, image))
    return world


def effects(world: World, since: float) -> list[str]:
    """What every host's engine was made to do since this moment."""
    return [
        line
        for host in world.lab.nodes
        for line in engine_events(host, time.time() - since, "{{.Action}} {{.Actor.Attributes.name}}", *MADE)
    ]


def leaders(world: World) -> set[str]:
    listed = json.loads(world.cli("node", "list", "--state", str(world.state), "-o", "json").stdout)
    return {node["metadata"].get("annotations", {}).get("reconciler.dev/leader", "") for node in listed["items"]}


@pytest.fixture
def ours(lab: Lab, tmp_path: Path) -> World:
    return world_of(lab, tmp_path / "ours", 2)


@pytest.fixture
def theirs(lab: Lab, tmp_path: Path) -> World:
    return world_of(lab, tmp_path / "theirs", 3, "lab/web:2.0")


def test_beside_a_reconciler_that_leads_another_is_refused_or_waits_and_says_for_whom(
    ours: World, theirs: World
) -> None:
    with ours.run() as leader:
        leader.converged()
        pid = f"pid {leader.process.pid},"
        began = time.time()
        refused = theirs.on_folder("apply")
        assert refused.returncode == 2, refused.stderr
        assert pid in refused.stderr, refused.stderr
        assert "leads this cluster" in refused.stderr
        assert "--take-over" in refused.stderr
        targets = [(host.address, 30080) for host in ours.lab.nodes]
        with Load(targets, rate=20) as requests, theirs.run() as waiting:
            waiting.wait_for("LeaderElection", pid)
            assert all(pid in who for who in leaders(ours) | leaders(theirs)), leaders(theirs)
            assert effects(ours, began) == []
            assert "version=1.0" in fetch(ours.url(30080))
            assert leader.stop() == 0
            waiting.converged()
            assert "version=2.0" in fetch(ours.url(30080))
            assert all(f"pid {waiting.process.pid}," in who for who in leaders(theirs))
        assert requests.failures == []


def test_a_reconciler_that_was_paused_at_work_finds_another_in_its_place_and_stops(
    ours: World, theirs: World
) -> None:
    with ours.run() as paused:
        paused.converged()
        mark = paused.mark()
        ours.write("web.yaml", web(6))
        paused.wait_for("Scheduled", since=mark)
        paused.process.send_signal(signal.SIGSTOP)
        with theirs.run(str(theirs.folder), "--take-over") as leader:
            leader.converged()
            eventually(lambda: not effects(ours, time.time() - 1), 20, "an end of what was begun")
            since, there = time.time(), {container.id for container in ours.containers()}
            mark = paused.mark()
            paused.process.send_signal(signal.SIGCONT)
            told = paused.wait_for("LeaderElection", "stopped leading", since=mark)
            assert f"pid {leader.process.pid}," in told["message"]
            assert effects(ours, since) == []
            assert {container.id for container in ours.containers()} == there
            assert {container.image for container in ours.containers("web")} == {"lab/web:2.0"}


MASTERS, ROUNDS = 5, 4


class Busy:
    """A process of `busy_master` that works on node-1."""

    def __init__(self, number: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.busy_master", "1", f"busy-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def leads(self, epoch: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{epoch}\n")
        self.process.stdin.flush()
        self.says("leads")

    def says(self, word: str) -> None:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 40)
        assert ready, f"it has not said {word!r}"
        assert self.process.stdout.readline() == f"{word}\n"


def done_by_busy_ones(lab: Lab, since: float) -> list[str]:
    """By Docker since this moment, and as files now."""
    host = lab.nodes[0]
    told = engine_events(host, time.time() - since, "{{.Action}} {{.Actor.Attributes.name}}", *MADE)
    return [line for line in told if " busy-" in line]


def files_of_busy_ones(lab: Lab) -> str:
    found = lab.nodes[0].run(
        ["sh", "-c", f"cd /run/reconciler/{CLUSTER}/pods && ls -lR --full-time busy-*"], check=False
    )
    return found.stdout


@pytest.mark.fault(78)
def test_masters_that_were_paused_wake_after_others_took_over_and_have_no_effect_on_the_host(lab: Lab) -> None:
    """Twenty times at any moment of their work: in the middle of calls to Docker and of commands in the shell."""
    with set_up(connect(node_of(lab), lab)) as host, ExitStack() as stack:
        masters = [stack.enter_context(Busy(number)) for number in range(MASTERS)]
        epoch, began = 1, time.time()
        for turn in range(ROUNDS):
            for number, busy in enumerate(masters):
                epoch += 1
                busy.leads(epoch)  # From the one before, which is paused by now.
                time.sleep(0.1 + 0.017 * (turn * MASTERS + number))
                busy.process.send_signal(signal.SIGSTOP)
            epoch += 1
            assert host.lead(epoch, take_over=True)
            accepted_before_is_done(lab)
            since, files = time.time(), files_of_busy_ones(lab)
            for busy in masters:
                busy.process.send_signal(signal.SIGCONT)
            for busy in masters:
                busy.says("lost")
            assert done_by_busy_ones(lab, since) == []
            assert files_of_busy_ones(lab) == files
            host.found()
        assert done_by_busy_ones(lab, began), "they had work"


def accepted_before_is_done(lab: Lab) -> None:
    """What Docker had accepted before the take-over it finishes."""
    eventually(lambda: not done_by_busy_ones(lab, time.time() - 1.5), 20, "an end of what was accepted")


@pytest.mark.fault(76)
def test_a_reconciler_whose_state_is_taken_away_does_nothing_more_and_says_so_once(ours: World) -> None:
    with ours.run() as running:
        running.converged()
        shutil.rmtree(ours.state)
        began = time.time()
        ours.write("web.yaml", web(4))
        told = running.wait_for("StoreFailed")["message"]
        assert "was removed while this reconciler runs on it" in told
        assert "start it again" in told
        refused = ours.on_folder("apply")
        assert refused.returncode == 2, refused.stderr
        assert f"pid {running.process.pid}," in refused.stderr
        assert effects(ours, began) == []
        assert [event["reason"] for event in running.events].count("StoreFailed") == 1
        running.kill()
    applied = ours.on_folder("apply")
    assert applied.returncode == 0, "the holder's process is seen to have ended: " + applied.stderr
    assert len(ours.containers("web")) == 4
