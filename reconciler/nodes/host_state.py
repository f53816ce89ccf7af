"""What is known of one host at this moment: written by the session's threads, read by the loop at any time.

One lock, and one immutable Observation made from the rest when somebody asks after a change.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from reconciler.model.addresses import SocketAddress
from reconciler.model.given import Given
from reconciler.model.names import SYSTEM_PROXY, Uid
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
    Repaired,
    Unreachable,
)
from reconciler.model.policies import PodPolicy
from reconciler.nodes.docker.looks import NO_ENDS, Looks, Seen, Ticket
from reconciler.nodes.pods.attached import Attachment
from reconciler.nodes.pods.runs import PodRun, pod_run, still_runs

_NOTHING_GIVEN: Final = Given()


class HostView:
    def __init__(self, changed: Callable[[], None]) -> None:
        self._tell = changed
        self._cond = threading.Condition()
        self._looks = Looks()
        self._facts: Facts | None = None
        self._images: frozenset[str] = frozenset()
        self._network = NetworkState()
        self._network_in_force = ""
        self._proxy = ProxyState()
        self._given = _NOTHING_GIVEN
        self._clock: float | None = None
        self._answered: dict[SocketAddress, PodRun] = {}
        self._probed: Mapping[str, tuple[str, Probed]] = {}
        self._detached: Mapping[str, tuple[str, str]] = {}
        self._prober_error = ""
        self._dns = DnsState()
        self._boot = BootState()
        self._repaired = Repaired()
        self._files: Mapping[str, str] = {}
        self._directories: frozenset[Uid] = frozenset()
        self._volumes: frozenset[str] | None = None
        self._pulling: Mapping[str, str] = {}
        self._busy: frozenset[Uid] = frozenset()
        self._heard = 0.0
        self._since = 0.0
        self._lost: Unreachable | None = Unreachable(time.monotonic(), "not connected yet")
        self._lost_untold = False
        self._why = ""
        self._peers = Peers()
        self._snapshot: Observation | None = None

    # --- for the loop ---------------------------------------------------------------------------------------

    def observation(self) -> Observation:
        with self._cond:
            if self._snapshot is None:
                self._snapshot = self._lost or self._reachable()
            if isinstance(self._snapshot, Reachable) and self._snapshot.at != self._heard:
                self._snapshot = msgspec.structs.replace(self._snapshot, at=self._heard)
            return self._snapshot

    # --- the connection -------------------------------------------------------------------------------------

    def connected(
        self,
        facts: Facts,
        images: frozenset[str],
        proxy: ProxyState,
        answered: Mapping[SocketAddress, PodRun],
        given: Given = _NOTHING_GIVEN,
        clock: float | None = None,
    ) -> None:
        """Everything was read anew (`list_all` has been called): the host counts as reachable from now on."""
        with self._cond:
            self._facts, self._images, self._proxy, self._given = facts, images, proxy, given
            self._clock = clock
            self._network = msgspec.structs.replace(self._network, fingerprint="", error="", policies=frozenset())
            self._dns, self._boot, self._answered = DnsState(), BootState(), dict(answered)
            self._since = self._heard = time.monotonic()
            self._lost, self._peers = None, Peers()
        self._changed()

    def lost(self, why: str, refused: bool = False, answers: bool = False) -> None:
        with self._cond:
            since, last = time.monotonic(), None
            if self._lost is not None:
                since, last = self._lost.since, self._lost.last
            elif self._facts is not None:
                since, last = self._heard, self._reachable()
            self._why = why
            lost = Unreachable(since, _in_words(why, answers, self._peers), last, refused, answers, self._peers)
            if lost == self._lost:
                return
            self._lost, self._lost_untold = lost, True
        self._changed()

    def asked(self, peers: Peers) -> None:
        """What other nodes say of this one. When it was reached last moves all the time: nobody is told."""
        with self._cond:
            before, self._peers = self._peers, peers
            if self._lost is None or peers == before:
                return
            why = _in_words(self._why, self._lost.answers, peers)
            self._lost = msgspec.structs.replace(self._lost, why=why, peers=peers)
            self._snapshot = None
            if (peers.reaching, peers.failing) == (before.reaching, before.failing):
                return
            self._lost_untold = True
        self._changed()

    def alive(self) -> None:
        """A sign of life."""
        with self._cond:
            self._heard = time.monotonic()

    def heard(self, facts: Facts) -> None:
        """Load and disk move all the time: nobody is told."""
        with self._cond:
            self._heard = time.monotonic()
            if facts != self._facts:
                self._facts = facts
                self._snapshot = None

    # --- containers -----------------------------------------------------------------------------------------

    def look(self) -> Ticket:
        """To be called before Docker is asked; handed in with the answer."""
        with self._cond:
            return self._looks.ticket()

    def saw(self, ticket: Ticket, container_id: str, seen: Seen | None, end: Ended | None = None) -> None:
        """One container; None: Docker knows none of this id any more. `end`: a run of it has ended."""
        with self._cond:
            news = self._looks.take(ticket, container_id, seen, end)
        if news:
            self._changed()

    def list_all(self, ticket: Ticket, found: Mapping[str, Seen], ends: Mapping[str, Ended] = NO_ENDS) -> None:
        """A full list: what is not in it is gone, unless it was looked at later."""
        with self._cond:
            news = self._looks.take_all(ticket, found, ends)
        if news:
            self._changed()

    def container(self, name: str) -> ObservedContainer | None:
        with self._cond:
            return next((seen.ours for seen in self._looks.seen.values() if seen.ours and seen.name == name), None)

    def seen(self, container_id: str) -> Seen | None:
        with self._cond:
            return self._looks.seen.get(container_id)

    def containers(self) -> list[ObservedContainer]:
        """All of ours."""
        with self._cond:
            return self._ours()

    def by_id(self, container_id: str) -> ObservedContainer | None:
        """With how its last run ended, where that was seen."""
        with self._cond:
            seen = self._looks.seen.get(container_id)
            return self._completed(seen.ours) if seen is not None and seen.ours is not None else None

    def wait_until_ended(self, container_id: str, seconds: float) -> bool:
        """Wait until the container is known not to run, at most so long. False: it still does, for all we know."""
        with self._cond:
            return self._cond.wait_for(lambda: not self._runs(container_id), seconds)

    def holder(self, port: int) -> str:
        """The container that publishes this host port; empty if none does."""
        with self._cond:
            return next((seen.name for seen in self._looks.seen.values() if port in seen.ports), "")

    # --- the rest -------------------------------------------------------------------------------------------

    def has_images(self, images: frozenset[str]) -> None:
        self._set(_images=images)

    def network_in_force(self) -> str:
        """The fingerprint of what was last applied without a complaint, also over an earlier connection."""
        with self._cond:
            return self._network_in_force

    def has_network(
        self, fingerprint: str, error: str, policies: frozenset[PodPolicy] = frozenset(), unresolved: str = ""
    ) -> None:
        with self._cond:
            known = self._network
            self._network_in_force = "" if error or unresolved else fingerprint
        self._set(_network=NetworkState(fingerprint, error, unresolved, policies, known.repaired, known.repairs))

    def network_repaired(self, what: str) -> None:
        """In words: somebody else had changed it. Kept over connections, so that none goes untold."""
        repairs = self._network.repairs + 1
        self._set(_network=msgspec.structs.replace(self._network, repaired=what, repairs=repairs))

    def has_proxy(self, proxy: ProxyState) -> None:
        self._set(_proxy=proxy)

    def proxy(self) -> ProxyState:
        with self._cond:
            return self._proxy

    def answered(self, targets: Mapping[SocketAddress, PodRun]) -> None:
        """The ports of pods that accept connections, each with the run of the pod that did."""
        self._set(_answered=dict(targets))

    def has_files(self, files: Mapping[str, str], directories: frozenset[Uid]) -> None:
        self._set(_files=dict(files), _directories=directories)

    def files(self) -> tuple[Mapping[str, str], frozenset[Uid]]:
        """`Reachable.files` and `Reachable.directories`."""
        with self._cond:
            return self._files, self._directories

    def has_volumes(self, volumes: frozenset[str]) -> None:
        self._set(_volumes=volumes)

    def has_pulling(self, pulling: Mapping[str, str]) -> None:
        """Image -> how far its pull has come, in words; all that are under way."""
        self._set(_pulling=dict(pulling))

    def has_probed(self, results: Mapping[str, tuple[str, Probed]]) -> None:
        """All that the prober says now: container id -> (`ObservedContainer.run`, result). Of another run than the
        present one, a result counts for nothing."""
        self._set(_probed=dict(results))

    def attachments(self) -> list[tuple[ObservedContainer, Attachment]]:
        """Of every container of ours that runs."""
        with self._cond:
            return [
                (seen.ours, one)
                for seen in self._looks.seen.values()
                if seen.ours is not None and seen.ours.state == "running"
                for one in seen.attachments
            ]

    def processes_of_pods(self) -> list[int]:
        """The first process of each container with an address of its own on the pod network."""
        with self._cond:
            seen = [one for one in self._looks.seen.values() if one.ours is not None and one.pid]
            return [one.pid for one in seen if one.ours is not None and one.ours.uid and one.ours.ip]

    def has_detached(self, detached: Mapping[str, tuple[str, str]]) -> None:
        """Container id -> (`ObservedContainer.run`, `ObservedContainer.detached`), as the last look found it."""
        self._set(_detached=dict(detached))

    def has_prober_error(self, error: str) -> None:
        """Why the node's prober does not do what was asked; empty: it does."""
        self._set(_prober_error=error)

    def has_dns(self, dns: DnsState) -> None:
        self._set(_dns=dns)

    def host_repaired(self, what: str) -> None:
        """In words: files or directories of ours that somebody else had changed. Kept over connections."""
        with self._cond:
            repaired = Repaired(what, self._repaired.count + 1)
        self._set(_repaired=repaired)

    def has_boot(self, boot: BootState) -> None:
        self._set(_boot=boot)

    def pod_run(self, ip: str) -> PodRun:
        """The present run of the pod at this address; empty: nothing runs there."""
        with self._cond:
            return pod_run(self._ours(), ip)

    def address(self) -> str:
        """Where other hosts reach this one; empty: not known."""
        with self._cond:
            return self._facts.address if self._facts is not None else ""

    def a_listening_pod(self) -> SocketAddress | None:
        """Where a pod here has accepted a connection; None: none has."""
        with self._cond:
            return min(self._answered, default=None)

    def begin(self, uid: Uid) -> None:
        with self._cond:
            self._busy |= {uid}
            self._snapshot = None

    def end(self, uid: Uid) -> None:
        with self._cond:
            self._busy -= {uid}
            self._snapshot = None

    # --- inside ---------------------------------------------------------------------------------------------

    def _set(self, **fields: Any) -> None:
        with self._cond:
            if all(getattr(self, name) == value for name, value in fields.items()):
                return
            for name, value in fields.items():
                setattr(self, name, value)
            self._snapshot = None
        self._changed()

    def _changed(self) -> None:
        with self._cond:
            self._snapshot = None
            self._cond.notify_all()
            # What is read while connecting is told once, when all of it is there.
            worth_telling = self._lost is None or self._lost_untold
            self._lost_untold = False
        if worth_telling:
            self._tell()

    def _ours(self) -> list[ObservedContainer]:
        return [seen.ours for seen in self._looks.seen.values() if seen.ours is not None]

    def _completed(self, container: ObservedContainer) -> ObservedContainer:
        """With what others than Docker's inspect say of it."""
        run, probed = self._probed.get(container.id, ("", None))
        end = self._looks.ends.get(container.id)
        probed = probed if run == container.run else None
        of_run, detached = self._detached.get(container.id, ("", ""))
        detached = detached if of_run == container.run else ""
        if end is None and probed is None and not detached:
            return container
        return msgspec.structs.replace(container, probed=probed, last_end=end, detached=detached)

    def _runs(self, container_id: str) -> bool:
        seen = self._looks.seen.get(container_id)
        return (
            seen is not None and seen.ours is not None and seen.ours.state in ("running", "paused", "restarting")
        )

    def _reachable(self) -> Reachable:
        assert self._facts is not None
        ours = sorted(map(self._completed, self._ours()), key=lambda container: container.name)
        proxy_runs = any(c.container == SYSTEM_PROXY and c.state == "running" for c in ours)
        runs = {ip: pod_run(ours, ip) for ip in {target.ip for target in self._answered}}
        return Reachable(
            facts=self._facts,
            containers=tuple(ours),
            images=self._images,
            used_ports={port: seen.name for seen in self._looks.seen.values() for port in seen.ports},
            network=self._network,
            proxy=msgspec.structs.replace(self._proxy, running=proxy_runs),
            listening=frozenset(
                target for target, run in self._answered.items() if still_runs(run, runs[target.ip])
            ),
            files=self._files,
            directories=self._directories,
            volumes=self._volumes,
            pulling=self._pulling,
            prober_error=self._prober_error,
            dns=self._dns,
            given=self._given,
            clock=self._clock,
            boot=self._boot,
            repaired=self._repaired,
            busy=self._busy | {one.uid for one in ours if one.uid and not one.inspected},
            since=self._since,
            at=self._heard,
        )


def _in_words(why: str, answers: bool, peers: Peers) -> str:
    if answers:
        return f"{why}; the host is up, so nothing is moved"
    if peers.reaching:
        names = " and ".join(peers.reaching)
        reach = f"{names} reach" if len(peers.reaching) > 1 else f"{names} reaches"
        return f"{why}; {reach} it: only the way from here is cut, so nothing is moved"
    return why
