"""A day in twenty minutes: everything that happens to a cluster, in turn, under load, and not one lost request.

Clients ask two nodes, over fresh connections and over kept ones by `appProtocol: http`; the third node is the one
that is drained and rebooted. What a client must lose (a pod that dies while it answers) is not part of it.
"""

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from reconciler.lab import Lab
from reconciler.lab.repo import node_manifests
from tests.bench.bars import Measured, at_least, at_most
from tests.bench.load_on_the_lab import BY_CONNECTION, BY_REQUEST, Site, begin_a_rollout, without_master
from tests.lab.conftest import restore
from tests.lab.load import Load
from tests.lab.world import DRAINED, World, eventually, service
from tests.own_lab import own_lab

SECONDS = float(os.environ.get("DAY_SECONDS", "1200"))
REQUESTS = 200_000
REPLICAS = 6
REBOOTED = "node-3"
_TOLD = Console(stderr=True)


def everything() -> Iterator[Measured]:
    lab = own_lab()
    was_up = lab.is_up()
    lab.up(nodes=3)
    try:
        yield from _day(lab)
    finally:
        if was_up:
            restore(lab)
        else:
            lab.down()


def _day(lab: Lab) -> Iterator[Measured]:
    restore(lab)
    asked = [lab.node(name).address for name in ("node-1", "node-2")]
    rate = 1.2 * REQUESTS / SECONDS / (2 * len(asked))
    happened: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        site = Site(World(lab, Path(directory)), REPLICAS)
        stack.callback(lambda: site.running.stop())
        site.running.converged(timeout=100)
        fresh = stack.enter_context(Load([(address, BY_CONNECTION) for address in asked], rate=rate))
        kept = stack.enter_context(Load([(address, BY_REQUEST) for address in asked], rate=rate, kept=True))
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for what, happen in EVENTS.items():
                if time.monotonic() >= end:
                    break
                happen(site)
                happened[what] += 1
                failed = len(fresh.failures) + len(kept.failures)
                _TOLD.print(f"    {what}: {fresh.answered + kept.answered:,} answered so far, {failed} failed")
    detail = f" ({', '.join(f'{count} × {what}' for what, count in happened.items())})"
    yield at_least("a day: requests answered", fresh.answered + kept.answered, REQUESTS, "requests", detail)
    for what, load in (("fresh connections", fresh), ("kept connections, http", kept)):
        why = "; ".join(sorted({failure.why for failure in load.failures})[:3])
        yield at_most(
            f"  {what}: failed", len(load.failures), 0, "requests", f" of {load.answered:,} {why}".rstrip()
        )


def _rolled(site: Site) -> None:
    site.roll()


def _reloaded(site: Site) -> None:
    mark = site.running.mark()
    other = site.world.write("other.yaml", service("other", 30090))
    site.running.reached(mark)
    mark = site.running.mark()
    other.unlink()
    site.running.reached(mark)


def _rebooted(site: Site) -> None:
    """As docs/how-to/drain-a-node.md says it is done."""
    manifest = node_manifests(site.world.lab)[f"{REBOOTED}.yaml"]
    mark = site.running.mark()
    site.world.write(f"nodes-{REBOOTED}.yaml", manifest + DRAINED)
    site.running.reached(mark, timeout=100)
    eventually(lambda: not [one for one in site.world.containers("web") if one.node == REBOOTED])
    host = site.world.lab.node(REBOOTED)
    host.stop()
    time.sleep(2)
    mark = site.running.mark()
    host.start()
    site.running.wait_for("NodeReady", REBOOTED, since=mark)
    mark = site.running.mark()
    site.world.write(f"nodes-{REBOOTED}.yaml", manifest)
    site.running.reached(mark, timeout=100)
    site.roll()


def _state_lost(site: Site) -> None:
    """The master's machine is gone with all that it remembered, in the middle of a rollout."""
    begin_a_rollout(site)
    site.running.kill()
    shutil.rmtree(site.world.state)
    site.running = site.world.run()
    site.running.converged(timeout=100)


def _second_master(site: Site) -> None:
    """CI applies beside the master, which is refused; then another one takes over for good."""
    first = site.running
    site.world.state = site.world.state.with_name(f"state-{first.process.pid}")
    refused = site.world.on_folder("apply")
    assert refused.returncode == 2, refused.stdout + refused.stderr
    site.running = site.world.run(str(site.world.folder), "--take-over")
    site.running.converged(timeout=100)
    first.stop()


EVENTS: dict[str, Callable[[Site], None]] = {
    "a rollout": _rolled,
    "reloads": _reloaded,
    "a drain and a reboot": _rebooted,
    "the master killed in a rollout": without_master,
    "the state lost in a rollout": _state_lost,
    "a second master": _second_master,
}
