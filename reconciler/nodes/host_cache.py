"""The present state of one host: recorded by the session's threads, read by the loop at any time.

One lock, one immutable HostState that is replaced as a whole, and one immutable Observation made from it when
somebody asks after a change.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.allocations import HostAllocations
from reconciler.model.names import Uid
from reconciler.model.observed import (
    BootState,
    DnsState,
    Ended,
    Facts,
    NetworkState,
    Observation,
    ObservedContainer,
    Peers,
    Probed,
    ProxyState,
    Reachable,
    RepairRecord,
    Unreachable,
)
from reconciler.model.policies import PodPolicy
from reconciler.nodes.docker.looks import NO_ENDS, HostContainer, Looks, Ticket
from reconciler.nodes.host_state import NOTHING_GIVEN, HostState, completed, explained, reachable
from reconciler.nodes.pods.attached import Attachment
from reconciler.nodes.pods.runs import PodRun, pod_run


class HostCache:
    """What one host is known to be. `changed` is called, without the lock, when the loop should look again."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._notify = changed
        self._cond = threading.Condition()
        self._looks = Looks()
        self._state = HostState(Unreachable(time.monotonic(), "not connected yet"))
        self._lost_unannounced = False
        """The loop has not been notified yet that the host was lost, or of what other nodes say of it."""
        self._observation: Observation | None = None
        """None: something has changed since the last one was made."""

    # --- for the loop ---------------------------------------------------------------------------------------

    def observation(self) -> Observation:
        with self._cond:
            if self._observation is None:
                self._observation = self._state.lost or self._reachable()
            if isinstance(self._observation, Reachable) and self._observation.at != self._state.recorded_at:
                self._observation = replace(self._observation, at=self._state.recorded_at)
            return self._observation

    # --- the connection -------------------------------------------------------------------------------------

    def record_connected(
        self,
        facts: Facts,
        images: frozenset[str],
        proxy: ProxyState,
        answers: Mapping[SocketAddress, PodRun],
        given: HostAllocations = NOTHING_GIVEN,
        clock: float | None = None,
    ) -> None:
        """Everything was read anew (`record_all` has been called): the host counts as reachable from now on."""
        with self._cond:
            now = time.monotonic()
            self._state = replace(
                self._state,
                facts=facts,
                images=images,
                proxy=proxy,
                given=given,
                clock=clock,
                network=replace(self._state.network, fingerprint="", error="", policies=frozenset()),
                dns=DnsState(),
                boot=BootState(),
                answers=dict(answers),
                since=now,
                recorded_at=now,
                lost=None,
                peers=Peers(),
            )
        self._changed()

    def record_lost(self, why: str, refused: bool = False, answers: bool = False) -> None:
        """The connection broke, or could not be made; `answers`: the host is up all the same."""
        with self._cond:
            state, since, last = self._state, time.monotonic(), None
            if state.lost is not None:
                since, last = state.lost.since, state.lost.last
            elif state.facts is not None:
                since, last = state.recorded_at, self._reachable()
            lost = Unreachable(since, explained(why, answers, state.peers), last, refused, answers, state.peers)
            self._state = replace(state, why_lost=why, lost=lost)
            if lost == state.lost:
                return
            self._lost_unannounced = True
        self._changed()

    def record_peers(self, peers: Peers) -> None:
        """What other nodes say of this one. That they reached it again, a moment later, is not announced."""
        with self._cond:
            state = self._state
            self._state = replace(state, peers=peers)
            if state.lost is None or peers == state.peers:
                return
            why = explained(state.why_lost, state.lost.answers, peers)
            self._state = replace(self._state, lost=replace(state.lost, why=why, peers=peers))
            self._observation = None
            if (peers.reaching, peers.failing) == (state.peers.reaching, state.peers.failing):
                return
            self._lost_unannounced = True
        self._changed()

    def record_sign_of_life(self) -> None:
        with self._cond:
            self._state = replace(self._state, recorded_at=time.monotonic())

    def record_facts(self, facts: Facts) -> None:
        """A sign of life, with the host's facts. Load and disk move all the time, so they are not announced."""
        with self._cond:
            if facts != self._state.facts:
                self._observation = None
            self._state = replace(self._state, recorded_at=time.monotonic(), facts=facts)

    def address(self) -> str:
        """The address where other hosts reach this one; empty: not known."""
        with self._cond:
            return self._state.facts.address if self._state.facts is not None else ""

    # --- containers -----------------------------------------------------------------------------------------

    def ticket(self) -> Ticket:
        """Return a ticket. It is taken before Docker is asked, and handed in with the answer."""
        with self._cond:
            return self._looks.ticket()

    def record(
        self, ticket: Ticket, container_id: str, container: HostContainer | None, end: Ended | None = None
    ) -> None:
        """One container; None: Docker knows none of this id any more. `end`: a run of it has ended."""
        with self._cond:
            news = self._looks.take(ticket, container_id, container, end)
        if news:
            self._changed()

    def record_all(
        self, ticket: Ticket, found: Mapping[str, HostContainer], ends: Mapping[str, Ended] = NO_ENDS
    ) -> None:
        """A full list: what is not in it is gone, unless it was looked at later."""
        with self._cond:
            news = self._looks.take_all(ticket, found, ends)
        if news:
            self._changed()

    def container(self, name: str) -> ObservedContainer | None:
        """The container of ours with this name."""
        with self._cond:
            containers = self._looks.containers.values()
            return next((one.ours for one in containers if one.ours and one.name == name), None)

    def host_container(self, container_id: str) -> HostContainer | None:
        with self._cond:
            return self._looks.containers.get(container_id)

    def containers(self) -> list[ObservedContainer]:
        """Every container of ours."""
        with self._cond:
            return self._ours()

    def container_by_id(self, container_id: str) -> ObservedContainer | None:
        """The container of ours with this id, with how its last run ended where that was observed."""
        with self._cond:
            found = self._looks.containers.get(container_id)
            return self._completed(found.ours) if found is not None and found.ours is not None else None

    def wait_until_ended(self, container_id: str, seconds: float) -> bool:
        """Wait until the container is known not to run, at most so long. False: it still does, for all we know."""
        with self._cond:
            return self._cond.wait_for(lambda: not self._runs(container_id), seconds)

    def holder(self, port: int) -> str:
        """The container that publishes this host port; empty if none does."""
        with self._cond:
            return next((one.name for one in self._looks.containers.values() if port in one.ports), "")

    def attachments(self) -> list[tuple[ObservedContainer, Attachment]]:
        """What every running container of ours mounts of the host's directories."""
        with self._cond:
            return [
                (one.ours, attachment)
                for one in self._looks.containers.values()
                if one.ours is not None and one.ours.state == "running"
                for attachment in one.attachments
            ]

    def processes_of_pods(self) -> list[int]:
        """The first process of each container with an address of its own on the pod network."""
        with self._cond:
            running = [one for one in self._looks.containers.values() if one.ours is not None and one.pid]
            return [one.pid for one in running if one.ours is not None and one.ours.uid and one.ours.ip]

    def pod_run(self, ip: str) -> PodRun:
        """The present run of the pod at this address; empty: nothing runs there."""
        with self._cond:
            return pod_run(self._ours(), ip)

    # --- the parts of the host ------------------------------------------------------------------------------

    def record_images(self, images: frozenset[str]) -> None:
        self._set(images=images)

    def network_in_force(self) -> str:
        """`HostState.network_in_force`."""
        with self._cond:
            return self._state.network_in_force

    def record_network(
        self, fingerprint: str, error: str, policies: frozenset[PodPolicy] = frozenset(), unresolved: str = ""
    ) -> None:
        with self._cond:
            known = self._state.network
            network = NetworkState(fingerprint, error, unresolved, policies, known.repaired, known.repairs)
        self._set(network=network, network_in_force="" if error or unresolved else fingerprint)

    def record_network_repair(self, what: str) -> None:
        """What somebody else had changed, in words. Kept over connections, so that each is announced."""
        with self._cond:
            network = replace(self._state.network, repaired=what, repairs=self._state.network.repairs + 1)
        self._set(network=network)

    def record_proxy(self, proxy: ProxyState) -> None:
        self._set(proxy=proxy)

    def proxy(self) -> ProxyState:
        with self._cond:
            return self._state.proxy

    def record_answers(self, answers: Mapping[SocketAddress, PodRun]) -> None:
        """The ports of pods that accept connections, each with the run of the pod that did."""
        self._set(answers=dict(answers))

    def a_listening_pod(self) -> SocketAddress | None:
        """Where a pod here has accepted a connection; None: none has."""
        with self._cond:
            return min(self._state.answers, default=None)

    def record_files(self, files: Mapping[str, str], directories: frozenset[Uid]) -> None:
        self._set(files=dict(files), directories=directories)

    def files(self) -> tuple[Mapping[str, str], frozenset[Uid]]:
        """`Reachable.files` and `Reachable.directories`."""
        with self._cond:
            return self._state.files, self._state.directories

    def record_volumes(self, volumes: frozenset[str]) -> None:
        self._set(volumes=volumes)

    def record_pulls(self, pulling: Mapping[str, str]) -> None:
        """Image -> how far its pull has come, in words; all that are under way."""
        self._set(pulling=dict(pulling))

    def record_probes(self, results: Mapping[str, tuple[str, Probed]]) -> None:
        """All that the prober says now: container id -> (`ObservedContainer.run`, result). Of another run than the
        present one, a result counts for nothing."""
        self._set(probes=dict(results))

    def record_detached(self, detached: Mapping[str, tuple[str, str]]) -> None:
        """Container id -> (`ObservedContainer.run`, `ObservedContainer.detached`), as the last look found it."""
        self._set(detached=dict(detached))

    def record_prober_error(self, error: str) -> None:
        """Why the node's prober does not do what was asked; empty: it does."""
        self._set(prober_error=error)

    def record_dns(self, dns: DnsState) -> None:
        self._set(dns=dns)

    def record_repair(self, what: str) -> None:
        """Files or directories of ours that somebody else had changed, in words. Kept over connections."""
        with self._cond:
            repaired = RepairRecord(what, self._state.repaired.count + 1)
        self._set(repaired=repaired)

    def record_boot(self, boot: BootState) -> None:
        self._set(boot=boot)

    def begin_work(self, uid: Uid) -> None:
        """Operations of this pod are under way from now on."""
        with self._cond:
            self._state = replace(self._state, busy=self._state.busy | {uid})
            self._observation = None

    def end_work(self, uid: Uid) -> None:
        with self._cond:
            self._state = replace(self._state, busy=self._state.busy - {uid})
            self._observation = None

    # --- inside ---------------------------------------------------------------------------------------------

    def _set(self, **fields: Any) -> None:
        with self._cond:
            if all(getattr(self._state, name) == value for name, value in fields.items()):
                return
            self._state = replace(self._state, **fields)
        self._changed()

    def _changed(self) -> None:
        with self._cond:
            self._observation = None
            self._cond.notify_all()
            # What is read while connecting is announced once, when all of it is there.
            announced = self._state.lost is None or self._lost_unannounced
            self._lost_unannounced = False
        if announced:
            self._notify()

    def _ours(self) -> list[ObservedContainer]:
        return [one.ours for one in self._looks.containers.values() if one.ours is not None]

    def _completed(self, container: ObservedContainer) -> ObservedContainer:
        return completed(self._state, container, self._looks.ends.get(container.id))

    def _runs(self, container_id: str) -> bool:
        found = self._looks.containers.get(container_id)
        return (
            found is not None
            and found.ours is not None
            and found.ours.state in ("running", "paused", "restarting")
        )

    def _reachable(self) -> Reachable:
        used_ports = {port: one.name for one in self._looks.containers.values() for port in one.ports}
        return reachable(self._state, map(self._completed, self._ours()), used_ports)
