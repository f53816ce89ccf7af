"""The sessions of all nodes: opened, replaced and closed as the Node manifests say."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from reconciler.control.ports import NodeSession
from reconciler.model.api.cluster import Cluster, ClusterSpec, SshDefaults
from reconciler.model.api.core.node import Node
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.desired import Desired
from reconciler.model.leases import Claim, Seat
from reconciler.model.memory import Memory
from reconciler.model.observed import NetworkState, Observation, Observed, Reachable
from reconciler.model.operations import PodWork
from reconciler.model.setups import NodeSetup

OpenSession = Callable[[Node, Cluster, str], NodeSession]
"""(node, cluster, the engine's id as remembered or empty) -> a session that is connecting. Of node and cluster it
is given what it is opened anew for, and no more."""


class Fleet:
    """Holds one session per node. Used by the loop's thread alone."""

    def __init__(self, connect: OpenSession) -> None:
        self._connect = connect
        self._sessions: dict[str, NodeSession] = {}
        self._opened: dict[str, tuple[Node, Cluster]] = {}
        self._ending: list[NodeSession] = []
        self._last: dict[str, Reachable] = {}
        """What the session before saw last, of nodes whose present one has not seen the host yet."""
        self._unsettled: set[str] = set()
        self._claim: Claim | None = None
        self._observed = Observed({})

    def follow(self, desired: Desired, memory: Memory) -> None:
        """Open a session for every node that is new or has another address or key; stop those that are gone.

        A session that is stopped does nothing to its host any more, so the next one need not wait for its end."""
        for name in self._sessions.keys() - desired.nodes.keys():
            self._stop(name, release=True)
        for name, node in desired.nodes.items():
            terms = _terms(node, desired.cluster)
            if self._opened.get(name) == terms:
                continue
            last = self._seen_last(name)
            self._stop(name)
            if last is not None:
                # What is counted of its network, and what is under way, begins anew with a session.
                self._last[name] = replace(last, network=NetworkState(), busy=frozenset())
            record = memory.nodes.get(name)
            self._sessions[name] = self._connect(*terms, record.engine_id if record else "")
            if self._claim is not None:
                self._sessions[name].lead(self._claim)
            self._opened[name] = terms
            self._unsettled.add(name)

    def heard(self, name: str) -> None:
        """A session has told something: its first attempt to connect is decided."""
        self._unsettled.discard(name)

    @property
    def settled(self) -> bool:
        """Each node has answered or failed once: what is observed now is not just ignorance."""
        return not self._unsettled

    def give_up_waiting(self) -> None:
        self._unsettled.clear()

    def seats(self) -> dict[str, Seat]:
        return {name: session.seat for name, session in self._sessions.items()}

    def lead(self, claim: Claim | None) -> None:
        """Ask every host for its lease, those that come later too; None: let go of all."""
        self._claim = claim
        for session in self._sessions.values():
            session.lead(claim)

    def rest(self) -> None:
        """Nothing more is begun on any host until `lead` asks anew; the leases are kept."""
        for session in self._sessions.values():
            session.rest()

    def observe(self) -> Observed:
        """Return what the sessions know now: the very value of before, where none knows anything else."""
        nodes = {name: self._observation(name) for name in self._sessions}
        before = self._observed.nodes
        if len(nodes) != len(before) or any(before.get(name) is not node for name, node in nodes.items()):
            self._observed = Observed(nodes)
        return self._observed

    def ensure(self, setups: Mapping[str, NodeSetup]) -> None:
        for name, setup in setups.items():
            self._sessions[name].ensure(setup)

    def submit(self, work: PodWork) -> None:
        self._sessions[work.node].submit(work)

    def close(self) -> None:
        """Within seconds, however many hosts hang."""
        for name in list(self._sessions):
            self._stop(name, release=True)
        for session in self._ending:
            session.close()

    def _observation(self, name: str) -> Observation:
        """That we connect anew makes nothing of a node unknown that was known."""
        seen = self._sessions[name].observe()
        if isinstance(seen, Reachable) or seen.last is not None:
            self._last.pop(name, None)
            return seen
        return replace(seen, last=self._last[name]) if name in self._last else seen

    def _seen_last(self, name: str) -> Reachable | None:
        if name not in self._sessions:
            return None
        seen = self._observation(name)
        return seen if isinstance(seen, Reachable) else seen.last

    def _stop(self, name: str, release: bool = False) -> None:
        session = self._sessions.pop(name, None)
        self._opened.pop(name, None)
        self._last.pop(name, None)
        self._unsettled.discard(name)
        if session is not None:
            session.stop(release)
            self._ending = [one for one in (*self._ending, session) if not one.ended]


def _terms(node: Node, cluster: Cluster) -> tuple[Node, Cluster]:
    """With what changes of these, the session is opened anew."""
    spec = ClusterSpec(
        ssh=SshDefaults(connect_timeout_seconds=cluster.spec.ssh.connect_timeout_seconds), sync=cluster.spec.sync
    )
    return (
        Node(ObjectMeta(node.metadata.name), node.ssh, node.host_key),
        Cluster(ObjectMeta(cluster.metadata.name), spec),
    )
