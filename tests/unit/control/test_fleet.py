"""Which sessions are opened, kept and ended, by what the manifests say."""

from reconciler.control.fleet import Fleet
from reconciler.control.inbox import Inbox
from reconciler.control.ports import NodeSession
from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.desired import Desired, SourceSnapshot
from reconciler.model.memory import Memory
from reconciler.model.observed import Observation, Reachable, Unreachable
from tests.fake_node import FakeNodeSession
from tests.fake_source import FakeSource

MANIFESTS = """\
apiVersion: reconciler.dev/v1
kind: Cluster
metadata: {name: test}
spec:
  images: {pause: "pause:1", proxy: "proxy:1"}
---
apiVersion: v1
kind: Node
metadata: {name: a, annotations: {reconciler.dev/ssh: "ssh://root@192.0.2.1"}}
---
apiVersion: v1
kind: Node
metadata: {name: b, annotations: {reconciler.dev/ssh: "ssh://root@192.0.2.2"}}
"""


def desired(text: str = MANIFESTS) -> Desired:
    snapshot = FakeSource({"all.yaml": text}).read()
    assert isinstance(snapshot, SourceSnapshot)
    loaded = Loader(ADMITTED).load(snapshot)
    assert isinstance(loaded, Desired), loaded
    return loaded


class Session(FakeNodeSession):
    """Writes down what is done to it. Its host hangs: it does not end before it is closed."""

    def __init__(self, name: str, done: list[str]) -> None:
        super().__init__(name, "test", Inbox(), frozenset())
        self._done = done
        self._closed = False

        self.unseen = False

    def observe(self) -> Observation:
        return Unreachable(1.0, "not connected yet") if self.unseen else super().observe()

    def stop(self, release: bool = False) -> None:
        self._done.append(f"stop {self.name}")

    @property
    def ended(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._done.append(f"close {self.name}")


class Fleeting:
    def __init__(self) -> None:
        self.done: list[str] = []
        self.sessions: dict[str, Session] = {}
        self.unseen = False
        self.fleet = Fleet(self._connect)
        self.after(MANIFESTS)

    def _connect(self, node: Node, cluster: Cluster, engine_id: str) -> NodeSession:
        self.done.append(f"open {node.metadata.name}")
        self.sessions[node.metadata.name] = session = Session(node.metadata.name, self.done)
        session.unseen = self.unseen
        return session

    def after(self, text: str) -> list[str]:
        """What a revision brings about."""
        self.done.clear()
        self.fleet.follow(desired(text), Memory())
        return list(self.done)


def with_spec(line: str) -> str:
    return MANIFESTS.replace("spec:\n", f"spec:\n  {line}\n", 1)


def test_settings_that_no_session_uses_leave_the_sessions_alone() -> None:
    it = Fleeting()
    assert it.after(with_spec("guard: {maxDeletePercent: 90}")) == []
    assert it.after(with_spec("imageGC: {highThresholdPercent: 70, lowThresholdPercent: 60}")) == []
    assert it.after(with_spec("nodes: {lostAfterSeconds: 7}")) == []
    assert it.after(MANIFESTS.replace("{name: a,", "{name: a, labels: {disk: fast},")) == []


def test_settings_of_the_connection_are_for_new_sessions() -> None:
    it = Fleeting()
    anew = ["stop a", "open a", "stop b", "open b"]
    assert it.after(with_spec("sync: {heartbeatSeconds: 3}")) == anew
    assert it.after(with_spec("ssh: {connectTimeoutSeconds: 9}")) == anew
    assert it.after(MANIFESTS.replace("192.0.2.2", "192.0.2.3")) == anew
    assert it.after(MANIFESTS.replace("192.0.2.2", "192.0.2.4")) == ["stop b", "open b"]


def test_nobody_waits_for_the_end_of_a_session_before_all_are_closed() -> None:
    it = Fleeting()
    assert it.after(MANIFESTS.rpartition("---")[0]) == ["stop b"]
    it.done.clear()
    it.fleet.close()
    assert it.done == ["stop a", "close b", "close a"]


def test_what_was_seen_of_a_host_holds_on_until_its_next_session_sees_it() -> None:
    it = Fleeting()
    before = it.fleet.observe().nodes["a"]
    assert isinstance(before, Reachable)
    it.unseen = True
    for seconds in (3, 4):
        it.after(with_spec(f"sync: {{heartbeatSeconds: {seconds}}}"))
        seen = it.fleet.observe().nodes["a"]
        assert isinstance(seen, Unreachable)
        assert seen.last is not None
        assert (seen.last.facts, seen.last.proxy) == (before.facts, before.proxy)
    it.sessions["a"].unseen = False
    assert isinstance(it.fleet.observe().nodes["a"], Reachable)
    it.sessions["a"].unseen = True
    assert it.fleet.observe().nodes["a"] == Unreachable(1.0, "not connected yet")
