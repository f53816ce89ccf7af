"""Hosts that are lost, and hosts that only seem so: how soon the one is noticed, and that nothing else moves."""

import random
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reconciler.lab import Host, Lab
from tests.bench.bars import Measured, at_most, p50, p99
from tests.lab.conftest import restore
from tests.lab.world import Running, World, deployment, service
from tests.own_lab import own_lab

CUTS = 12
TROUBLES = 100
TROUBLE_SECONDS = 4.5
"""Longer than a node that is down is waited for."""
MOST_SECONDS = 1200.0
"""For all troubles together; how many there were is shown."""
CLUSTER = """\
apiVersion: reconciler.dev/v1
kind: Cluster
metadata: {name: test}
spec:
  images: {pause: "lab/pause:1", proxy: "lab/proxy:1"}
"""
Trouble = Callable[[Lab, Host, random.Random], Callable[[], None]]
"""Makes it, and answers with what ends it."""


def everything() -> Iterator[Measured]:
    lab = own_lab()
    was_up = lab.is_up()
    lab.up(nodes=3)
    try:
        restore(lab)
        with tempfile.TemporaryDirectory() as directory:
            world = World(lab, Path(directory))
            world.write("cluster.yaml", CLUSTER)
            world.write("web.yaml", deployment("web", 6) + "---\n" + service("web", 30080))
            with world.run() as running:
                running.converged()
                yield from _cut(lab, running)
                yield from _troubles(lab, running)
    finally:
        if was_up:
            restore(lab)
        else:
            lab.down()


def _cut(lab: Lab, running: Running) -> Iterator[Measured]:
    """From the cut cable to what the master says of it, and until all that ran there is available elsewhere."""
    told, moved, whole = [], [], []
    for number in range(CUTS):
        host = lab.nodes[number % len(lab.nodes)]
        time.sleep(random.random())  # Anywhere between two heartbeats.
        mark = running.mark()
        with _from_now() as seconds:
            host.cut()
            running.wait_for("NodeNotReady", host.name, since=mark)
            told.append(seconds())
            first = running.wait_for("Moved", host.name, since=mark)
            moved.append(seconds())
            running.wait_for("Complete", since=running.events.index(first))
            whole.append(seconds())
        mark = running.mark()
        host.heal()
        running.converged(since=mark)
    yield at_most("cable cut → said to be unreachable, p99", p99(told), 3, "s", _detail(told))
    yield at_most("cable cut → found to be lost, p99", p99(moved), 3.5, "s", _detail(moved))
    yield at_most("cable cut → replacements running, p99", p99(whole), 5, "s", _detail(whole))


def _troubles(lab: Lab, running: Running) -> Iterator[Measured]:
    """Each on a host of its own turn; a pod that is moved from a host that was not cut off is moved wrongly."""
    chance, wrong, counts = random.Random(11), list[str](), dict.fromkeys(KINDS, 0)
    until = time.monotonic() + MOST_SECONDS
    for number in range(TROUBLES):
        if time.monotonic() > until:
            break
        kind = list(KINDS)[number % len(KINDS)]
        host = lab.nodes[number // len(KINDS) % len(lab.nodes)]
        mark = running.mark()
        end = KINDS[kind](lab, host, chance)
        try:
            time.sleep(TROUBLE_SECONDS)
        finally:
            end()
        _healed(lab, running, mark)
        counts[kind] += 1
        allowed = f"away from {host.name}:" if kind == "cut" else "from nowhere"
        moves = [event["message"] for event in running.events[mark:] if event["reason"] == "Moved"]
        wrong += [f"{kind}: {message}" for message in moves if not message.startswith(allowed)]
    detail = (
        f" in {sum(counts.values())} troubles ({', '.join(f'{count} × {kind}' for kind, count in counts.items())})"
    )
    yield at_most(
        "pods moved wrongly", len(wrong), 0, "pods", detail + "".join(f"\n  {each}" for each in wrong[:5])
    )


def _healed(lab: Lab, running: Running, mark: int) -> None:
    """Every host is ready, and stays so for a moment."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if all(_is_ready(running, mark, host.name) for host in lab.nodes):
            time.sleep(1.0)
            if all(_is_ready(running, mark, host.name) for host in lab.nodes):
                return
        time.sleep(0.1)
    raise AssertionError(f"not healed within a minute: {running.events[mark:][-20:]}")


def _is_ready(running: Running, mark: int, name: str) -> bool:
    told = [event["reason"] for event in running.events[mark:] if event["name"] == name]
    judged = [reason for reason in told if reason in ("NodeReady", "NodeNotReady")]
    return not judged or judged[-1] == "NodeReady"


def _cut_off(_lab: Lab, host: Host, _chance: random.Random) -> Callable[[], None]:
    host.cut()
    return host.heal


def _pause(_lab: Lab, host: Host, _chance: random.Random) -> Callable[[], None]:
    host.pause()
    return host.heal


def _loss(_lab: Lab, host: Host, chance: random.Random) -> Callable[[], None]:
    """A third to two thirds of all packets, one way."""
    way = chance.choice(("INPUT", "OUTPUT"))
    share = f"{chance.uniform(0.3, 0.7):.2f}"
    return _rule(host, way, "-m", "statistic", "--mode", "random", "--probability", share)


def _one_way(_lab: Lab, host: Host, _chance: random.Random) -> Callable[[], None]:
    """Of the master's own way to it."""
    return _rule(host, "INPUT", "-s", _master(host))


def _all_ways(lab: Lab, _host: Host, _chance: random.Random) -> Callable[[], None]:
    """Of the master's to all hosts, one after the other."""
    ends = [_rule(host, "INPUT", "-s", _master(host)) for host in lab.nodes]

    def end() -> None:
        with ThreadPoolExecutor(len(ends)) as pool:
            list(pool.map(lambda each: each(), ends))

    return end


KINDS: dict[str, Trouble] = {
    "cut": _cut_off,
    "engine paused": _pause,
    "loss one way": _loss,
    "master's way cut": _one_way,
    "all its ways cut": _all_ways,
}


def _rule(host: Host, chain: str, *match: str) -> Callable[[], None]:
    rule = [chain, *match, "-j", "DROP"]
    host.run(["iptables", "-w", "5", "-I", *rule])

    def end() -> None:
        host.run(["iptables", "-w", "5", "-D", *rule])

    return end


def _master(host: Host) -> str:
    with socket.create_connection((host.address, host.ssh_port), timeout=10) as connection:
        return str(connection.getsockname()[0])


@contextmanager
def _from_now() -> Iterator[Callable[[], float]]:
    began = time.monotonic()
    yield lambda: time.monotonic() - began


def _detail(values: list[Any]) -> str:
    return f" (p50 {p50(values):.2f} s, n={len(values)})"
