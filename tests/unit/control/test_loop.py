"""The loop with a source, a store and hosts in memory: the promises that need no Docker to be seen."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from reconciler.control.cycle import Turn
from reconciler.control.fleet import Fleet
from reconciler.control.inbox import Inbox, Stop
from reconciler.control.leadership import Candidate
from reconciler.control.loop import Loop
from reconciler.control.ports import NodeSession
from reconciler.control.refresh import Refresher
from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.desired import SourceSnapshot
from reconciler.model.observed import Observation, Reachable
from reconciler.model.operations import CreateContainer, PodWork, RemoveContainer, StopContainers
from reconciler.model.plan import Status
from reconciler.model.proxy import config_text
from reconciler.model.records import Event
from reconciler.store import StoreFailed
from tests.fake_issuer import FakeIssuer, issued
from tests.fake_node import FakeNodeSession
from tests.fake_source import FakeSource
from tests.fake_store import FakeStore
from tests.planner import RULES

CLUSTER = """\
apiVersion: reconciler.dev/v1
kind: Cluster
metadata: {name: test}
spec:
  images: {pause: "pause:1", proxy: "proxy:1"}
  nodes: {lostAfterSeconds: 1}
"""

NODE = """\
---
apiVersion: v1
kind: Node
metadata: {{name: {0}, annotations: {{reconciler.dev/ssh: "ssh://root@192.0.2.{1}"}}}}
"""

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers: [{{name: web, image: "web:{tag}"}}]
"""


ISSUER = "spec:\n  acme: {server: https://acme.example.org/directory}\n"

ENTRY = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {reconciler.dev/acme: "true"}}
spec:
  defaultBackend: {service: {name: web, port: {number: 80}}}
  tls: [{hosts: [a.org], secretName: site}]
"""


class TheHostOfA(FakeNodeSession):
    """Another name for the host that is called `a`."""

    def observe(self) -> Observation:
        seen = super().observe()
        if isinstance(seen, Reachable):
            return replace(seen, facts=replace(seen.facts, engine_id="engine-a"))
        return seen


class Told:
    """A narrator that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def progress(self, turn: Turn) -> None:
        pass

    def reasons(self) -> list[str]:
        return [event.reason for event in self.events]


class Cell:
    """A cluster of three hosts in memory, and the loop over it while `running`."""

    def __init__(self, beside: "Cell | None" = None, take_over: bool = False) -> None:
        """`beside`: another reconciler's, of the same hosts; what each has put there the other does not see."""
        self._beside = beside
        self._candidate = Candidate(
            "second" if beside else "first", "second@here" if beside else "first@here", take_over
        )
        self.source = FakeSource({"cluster.yaml": CLUSTER + NODE.format("a", 1) + NODE.format("b", 2)})
        self.store = FakeStore()
        self.issuer = FakeIssuer()
        self.told = Told()
        self.inbox = Inbox()
        self.hosts: dict[str, FakeNodeSession] = {}
        self.loop: Loop | None = None

    def web(self, replicas: int, tag: str = "1") -> None:
        self.source.put("web.yaml", WEB.format(replicas=replicas, tag=tag))

    def connect(self, node: Node, cluster: Cluster, engine_id: str) -> NodeSession:
        """A host outlives the sessions to it."""
        name = node.metadata.name
        if name not in self.hosts:
            images = frozenset({"web:1", "web:2"})
            lease = self._beside.hosts[name].lease if self._beside else None
            self.hosts[name] = FakeNodeSession(name, cluster.metadata.name, self.inbox, images, lease)
        self.hosts[name].return_()
        return self.hosts[name]

    @contextmanager
    def running(self) -> Iterator[Loop]:
        self.told.events.clear()
        fleet = Fleet(self.connect)
        loop = Loop(
            inbox=self.inbox,
            load=Loader(ADMITTED).load,
            fleet=fleet,
            store=self.store,
            issuer=self.issuer,
            narrator=self.told,
            rules=RULES,
            candidate=self._candidate,
        )
        refresher = Refresher(self.source, Loader(ADMITTED).load, self.inbox)
        refresher.start()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                loop.run(lambda _: False)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run, name="loop")
        thread.start()
        try:
            yield loop
        finally:
            self.inbox.put(Stop())
            thread.join(5)
            refresher.close()
        assert not failed, failed
        assert not thread.is_alive()

    def pods(self, tag: str = "") -> list[str]:
        return [
            container.pod
            for host in self.hosts.values()
            if (seen := host.last()) is not None
            for container in seen.containers
            if container.pod and container.state == "running" and container.image.endswith(tag)
        ]

    def calls(self) -> int:
        return sum(len(host.calls) for host in self.hosts.values())


def proxy_text(host: FakeNodeSession) -> str:
    return "" if host.setup is None else config_text(host.setup.proxy)


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def cell() -> Cell:
    return Cell()


def test_a_revision_becomes_running_pods_spread_over_the_hosts(cell: Cell) -> None:
    cell.web(4)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        assert len(cell.pods()) == 4
        assert {len([c for c in host.last().containers if c.pod]) for host in cell.hosts.values()} == {2}


def test_the_intent_is_stored_before_the_first_call(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    stored_first: list[bool] = []
    submit = FakeNodeSession.submit

    def check_and_submit(session: FakeNodeSession, work: PodWork) -> None:
        stored_first.append(work.uid in cell.store.load().pods)
        submit(session, work)

    monkeypatch.setattr(FakeNodeSession, "submit", check_and_submit)
    cell.web(2)
    with cell.running():
        until(lambda: len(cell.pods()) == 2)
    assert stored_first == [True, True]


@pytest.mark.fault(76)
def test_while_the_store_fails_no_host_is_changed(cell: Cell) -> None:
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        before = cell.calls()
        cell.store.broken = True
        cell.web(3)
        until(lambda: "StoreFailed" in cell.told.reasons())
        time.sleep(0.1)
        assert cell.calls() == before


@pytest.mark.fault(5)
def test_a_rejected_revision_changes_nothing_and_the_last_good_one_still_heals(cell: Cell) -> None:
    cell.web(2)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        before = cell.calls()
        cell.source.put("bad.yaml", "kind: [")
        until(lambda: "Rejected" in cell.told.reasons())
        assert cell.calls() == before
        victim = next(host for host in cell.hosts.values() if host.last().containers)
        name = next(c.name for c in victim.last().containers if c.pod)
        victim.change(name, lambda _: None)
        until(lambda: len(cell.pods()) == 2)


@pytest.mark.fault(5)
@pytest.mark.parametrize("restarted", [False, True])
def test_a_file_that_lost_its_objects_deletes_nothing_until_it_is_removed(cell: Cell, restarted: bool) -> None:
    cell.web(2)
    with cell.running() as loop:
        until(lambda: loop.converged and len(cell.pods()) == 2)
        if not restarted:
            _empty_and_remove(cell)
    if restarted:
        cell.source.put("web.yaml", "")
        with cell.running():
            _empty_and_remove(cell)


def _empty_and_remove(cell: Cell) -> None:
    cell.source.put("web.yaml", "# nothing\n")
    until(lambda: any("web.yaml" in event.message for event in cell.told.events if event.reason == "Problem"))
    (problem,) = {event.message for event in cell.told.events if event.reason == "Problem"}
    assert "held Deployment default/web in revision" in problem
    assert "remove the file if its objects are to be deleted" in problem
    assert len(cell.pods()) == 2
    cell.source.remove("web.yaml")
    until(lambda: not cell.pods())


def test_objects_that_moved_to_another_file_may_leave_an_empty_one(cell: Cell) -> None:
    cell.web(2)
    with cell.running() as loop:
        until(lambda: loop.converged and len(cell.pods()) == 2)
        before = cell.pods()
        cell.source.put("other.yaml", WEB.format(replicas=2, tag="1"))
        cell.source.put("web.yaml", "# moved\n")
        until(lambda: cell.told.reasons().count("Accepted") == 2)
        assert cell.pods() == before


@pytest.mark.fault(2)
def test_a_source_that_cannot_be_read_deletes_nothing(cell: Cell) -> None:
    cell.web(2)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        cell.source.fail("the remote is unreachable")
        until(lambda: "Unavailable" in cell.told.reasons())
        time.sleep(0.1)
        assert len(cell.pods()) == 2
        cell.source.mend()


def test_a_restart_adopts_everything_and_calls_nothing(cell: Cell) -> None:
    cell.web(3)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
    before = cell.calls()
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
    assert cell.calls() == before


def test_a_restart_without_its_store_adopts_what_the_labels_tell(cell: Cell) -> None:
    cell.web(3)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
    before = cell.calls()
    cell.store = FakeStore()
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
    assert cell.calls() == before


def test_a_restart_with_a_bad_tip_keeps_the_last_good_revision_in_force(cell: Cell) -> None:
    cell.web(2)
    with cell.running():
        until(lambda: cell.store.last_revision() is not None)
        until(lambda: "Converged" in cell.told.reasons())
    cell.source.put("bad.yaml", "kind: [")
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        assert "Rejected" in cell.told.reasons()
        assert len(cell.pods()) == 2


def test_a_last_good_revision_that_cannot_be_read_at_first_is_asked_for_again(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell.web(2)
    with cell.running():
        until(lambda: cell.store.last_revision() is not None)
        until(lambda: "Converged" in cell.told.reasons())
    cell.source.put("bad.yaml", "kind: [")
    kept, failures = cell.store.last_revision(), iter(["locked"])

    def locked_at_first() -> SourceSnapshot | None:
        for why in failures:
            raise StoreFailed("memory", why, "wait")
        return kept

    monkeypatch.setattr(cell.store, "last_revision", locked_at_first)
    monkeypatch.setattr("reconciler.control.loop.STORE_RETRY_SECONDS", 0.05)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        assert cell.told.reasons().count("StoreFailed") == 1


@pytest.mark.fault(2)
def test_a_defect_in_reading_the_source_ends_the_loop_aloud(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> SourceSnapshot:
        raise AssertionError("a defect")

    monkeypatch.setattr(cell.source, "read", broken)
    with pytest.raises(AssertionError, match="a defect"), cell.running() as loop:
        until(lambda: not any(thread.name == "loop" for thread in threading.enumerate()))
    assert loop.desired is None


def test_a_source_that_did_not_change_is_told_once(cell: Cell) -> None:
    cell.web(1)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        cell.source.mend()
        cell.source.put("bad.yaml", "kind: [")
        until(lambda: "Rejected" in cell.told.reasons())
        cell.source.mend()
        time.sleep(0.1)
        assert [cell.told.reasons().count(reason) for reason in ("Accepted", "Rejected")] == [1, 1]


def test_a_rollout_replaces_every_pod_and_ends_with_none_of_the_old(cell: Cell) -> None:
    cell.web(3)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        cell.web(3, tag="2")
        until(lambda: len(cell.pods(":2")) == 3 and not cell.pods(":1"), 15)


@pytest.mark.fault(61)
def test_pods_of_a_host_that_stays_silent_run_elsewhere_and_come_off_it_when_it_is_back(cell: Cell) -> None:
    cell.source.put("third.yaml", NODE.format("c", 3).removeprefix("---\n"))
    cell.web(3)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        silent = cell.hosts["c"]
        silent.lose()
        until(lambda: "Moved" in cell.told.reasons())
        others = [cell.hosts["a"], cell.hosts["b"]]
        until(lambda: sum(c.state == "running" for h in others for c in h.last().containers if c.pod) == 3)
        assert not any(isinstance(call, StopContainers | RemoveContainer) for call in silent.calls)
        silent.return_()
        until(lambda: not [c for c in silent.last().containers if c.pod])


def test_when_all_is_as_wanted_nothing_is_called(cell: Cell) -> None:
    cell.web(3)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        before, saves = cell.calls(), cell.store.saves
        for host in cell.hosts:
            cell.inbox.observed(host)
        time.sleep(0.1)
        assert (cell.calls(), cell.store.saves) == (before, saves)


@pytest.mark.fault(64)
def test_a_host_that_is_listed_twice_is_given_nothing_under_its_second_name(cell: Cell) -> None:
    cell.hosts["b"] = second = TheHostOfA("b", "test", cell.inbox, frozenset({"web:1"}))
    cell.web(2)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        assert not second.calls
        seen = second.observe()
        assert isinstance(seen, Reachable)
        assert (seen.network.fingerprint, seen.proxy.fingerprint) == ("", "")
        refused = [event for event in cell.told.events if event.reason == "NodeNotReady"]
        assert [(event.node, "the same host as node a" in event.message) for event in refused] == [("b", True)]


@pytest.mark.fault(4)
def test_a_revision_that_drops_most_objects_is_held_and_nothing_ends(cell: Cell) -> None:
    cell.web(2)
    for number in range(8):
        cell.source.put(f"c{number}.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\n")
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        for number in range(8):
            cell.source.remove(f"c{number}.yaml")
        cell.source.remove("web.yaml")
        until(lambda: "Held" in cell.told.reasons())
        time.sleep(0.1)
        assert len(cell.pods()) == 2


def test_a_certificate_is_ordered_when_the_edges_answer_its_challenges_and_then_kept(cell: Cell) -> None:
    nodes = NODE.format("a", 1) + NODE.format("b", 2)
    cell.source.put("cluster.yaml", CLUSTER.replace("spec:\n", ISSUER, 1) + nodes)
    cell.source.put("entry.yaml", ENTRY)
    with cell.running() as loop:
        until(lambda: cell.issuer.orders)
        (order,) = cell.issuer.orders
        answers = f"field(4,/)].{order.account.thumbprint}"
        assert all(answers in proxy_text(host) for host in cell.hosts.values())
        assert cell.store.load().accounts.keys() == {order.terms.server}
        assert not loop.converged
        cell.inbox.order_ended(order, "the server is closed")
        until(lambda: "CertificateFailed" in cell.told.reasons())
        until(lambda: loop.converged)
    with cell.running():
        until(lambda: len(cell.issuer.orders) == 2)
        now = time.time()
        cell.inbox.order_ended(order, issued("a.org", server=order.terms.server, start=now - 60, end=now + 9e6))
        until(lambda: "CertificateIssued" in cell.told.reasons())
        until(lambda: all("bind 0.0.0.0:443 ssl" in proxy_text(host) for host in cell.hosts.values()))
        assert [ref.name for ref in cell.store.load().certificates] == ["site"]
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
    assert len(cell.issuer.orders) == 2


@pytest.mark.fault(62)
@pytest.mark.parametrize("days", [1, -1, 400])
def test_a_wall_clock_that_jumps_changes_nothing(cell: Cell, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    cell.web(3)
    with cell.running() as loop:
        until(lambda: "Converged" in cell.told.reasons())
        before, told, statuses = cell.calls(), list(cell.told.events), cell.store.statuses
        saves, turn, wall = cell.store.saves, loop.turn, time.time
        monkeypatch.setattr(time, "time", lambda: wall() + days * 86_400)
        for host in cell.hosts:
            cell.inbox.observed(host)
        until(lambda: loop.turn is not turn)
        time.sleep(1.5)  # Longer than lostAfterSeconds.
        cell.inbox.observed("a")
        time.sleep(0.2)
        assert (cell.calls(), cell.told.events, cell.store.saves) == (before, told, saves)
        assert cell.store.statuses == statuses
        monkeypatch.undo()


def test_every_created_container_carries_the_host_contract(cell: Cell) -> None:
    cell.web(1)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
    (config,) = [call.config for h in cell.hosts.values() for call in h.calls if isinstance(call, CreateContainer)]
    labels = {label.removeprefix("reconciler.dev/") for label in config.labels}
    assert labels == {"cluster", "namespace", "pod", "uid", "container", "owner", "hash", "revision", "template"}


# Several reconcilers at one cluster


def leader_of(thing: Status) -> str:
    return thing.metadata.annotations.get("reconciler.dev/leader", "")


def test_beside_a_reconciler_that_leads_nothing_is_done_and_it_is_named(cell: Cell) -> None:
    cell.web(2)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
        other = Cell(beside=cell)
        other.web(3)
        with other.running() as loop:
            until(lambda: loop.blocked is not None)
            assert "first@here leads this cluster" in str(loop.blocked)
            assert other.calls() == 0
            assert other.store.saves == 0
            assert {leader_of(node) for node in other.store.statuses.values()} == {"first@here"}
        before = cell.calls()
        cell.web(3)
        until(lambda: len(cell.pods()) == 3)
        assert cell.calls() > before


def test_one_that_waits_goes_on_when_the_leases_have_ended(cell: Cell) -> None:
    cell.web(2)
    with cell.running():
        until(lambda: "Converged" in cell.told.reasons())
    other = Cell(beside=cell)
    other.web(3)
    with other.running() as loop:
        until(lambda: loop.blocked is not None)
        for host in cell.hosts.values():
            host.lease.expire()
        until(lambda: "Converged" in other.told.reasons())
        assert loop.blocked is None
        assert len(other.pods()) == 3


def test_one_that_is_superseded_stops_on_all_hosts_and_says_who_has_taken_over(cell: Cell) -> None:
    cell.web(2)
    with cell.running() as loop:
        until(lambda: "Converged" in cell.told.reasons())
        other = Cell(beside=cell, take_over=True)
        other.web(3)
        with other.running():
            until(lambda: "Converged" in other.told.reasons())
            until(lambda: loop.blocked is not None)
            before = cell.calls()
            cell.web(9)
            victim = next(iter(cell.hosts.values()))
            victim.change(next(c.name for c in victim.last().containers if c.pod), lambda _: None)
            time.sleep(0.2)
            assert cell.calls() == before
            told = [event.message for event in cell.told.events if event.reason == "LeaderElection"]
            assert [message.partition(":")[0] for message in told] == ["stopped leading"]
            assert "second@here" in told[0]
