"""What is known of one host at this moment: written by the session's threads, read by the loop at any time.

One lock, and one immutable Observation made from the rest when somebody asks after a change. Replies of Docker can
overtake each other between threads, so each look takes a ticket before it asks, and an older look never
overwrites a newer one.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from reconciler.model.names import SYSTEM_PROXY, Uid
from reconciler.model.observed import (
    Facts,
    NetworkState,
    Observation,
    ObservedContainer,
    ProxyState,
    Reachable,
    Unreachable,
)

Ticket = int
PodRun = tuple[tuple[str, str], ...]
"""Container id and start of every running container of a pod: another value, another run of the pod."""


class Seen(Struct, frozen=True):
    """One container, as looked at last."""

    ours: ObservedContainer | None
    """None: foreign; only its ports concern us."""
    name: str
    ports: tuple[int, ...]


class HostView:
    def __init__(self, changed: Callable[[], None]) -> None:
        self._tell = changed
        self._cond = threading.Condition()
        self._tickets = 0
        self._seen: dict[str, Seen] = {}
        self._looked: dict[str, Ticket] = {}
        self._listed: Ticket = 0
        self._facts: Facts | None = None
        self._images: frozenset[str] = frozenset()
        self._network = NetworkState()
        self._proxy = ProxyState()
        self._answered: dict[str, PodRun] = {}
        self._busy: frozenset[Uid] = frozenset()
        self._heard = 0.0
        self._since = 0.0
        self._lost: Unreachable | None = Unreachable(time.monotonic(), "not connected yet")
        self._lost_untold = False
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
        self, facts: Facts, images: frozenset[str], proxy: ProxyState, answered: Mapping[str, PodRun]
    ) -> None:
        """Everything was read anew (`list_all` has been called): the host counts as reachable from now on."""
        with self._cond:
            self._facts, self._images, self._proxy = facts, images, proxy
            self._network, self._answered = NetworkState(), dict(answered)
            self._since = self._heard = time.monotonic()
            self._lost = None
        self._changed()

    def lost(self, why: str, refused: bool) -> None:
        with self._cond:
            since, last = time.monotonic(), None
            if self._lost is not None:
                since, last = self._lost.since, self._lost.last
            elif self._facts is not None:
                since, last = self._heard, self._reachable()
            lost = Unreachable(since, why, last, refused)
            if lost == self._lost:
                return
            self._lost, self._lost_untold = lost, True
        self._changed()

    def heard(self, facts: Facts) -> None:
        """A heartbeat. Load and disk move all the time: nobody is told."""
        with self._cond:
            self._heard = time.monotonic()
            if facts != self._facts:
                self._facts = facts
                self._snapshot = None

    # --- containers -----------------------------------------------------------------------------------------

    def look(self) -> Ticket:
        """To be called before Docker is asked; handed in with the answer."""
        with self._cond:
            self._tickets += 1
            return self._tickets

    def saw(self, ticket: Ticket, container_id: str, seen: Seen | None) -> None:
        """One container; None: Docker knows none of this id any more."""
        with self._cond:
            if ticket < max(self._listed, self._looked.get(container_id, 0)):
                return
            self._looked[container_id] = ticket
            before = self._seen.get(container_id)
            if seen == before:
                return
            if seen is None:
                del self._seen[container_id]
            else:
                self._seen[container_id] = seen
        self._changed()

    def list_all(self, ticket: Ticket, found: Mapping[str, Seen]) -> None:
        """A full list: what is not in it is gone, unless it was looked at later."""
        with self._cond:
            newer = {key: self._seen[key] for key, at in self._looked.items() if at > ticket and key in self._seen}
            gone_since = {key for key, at in self._looked.items() if at > ticket and key not in self._seen}
            seen = {key: value for key, value in found.items() if key not in gone_since} | newer
            self._looked = {key: at for key, at in self._looked.items() if at > ticket}
            self._listed = ticket
            if seen == self._seen:
                return
            self._seen = seen
        self._changed()

    def container(self, name: str) -> ObservedContainer | None:
        with self._cond:
            return next((seen.ours for seen in self._seen.values() if seen.ours and seen.name == name), None)

    def wait_until_ended(self, container_id: str, seconds: float) -> bool:
        """Wait until the container is known not to run, at most so long. False: it still does, for all we know."""
        with self._cond:
            return self._cond.wait_for(lambda: not self._runs(container_id), seconds)

    def holder(self, port: int) -> str:
        """The container that publishes this host port; empty if none does."""
        with self._cond:
            return next((seen.name for seen in self._seen.values() if port in seen.ports), "")

    # --- the rest -------------------------------------------------------------------------------------------

    def has_images(self, images: frozenset[str]) -> None:
        self._set(_images=images)

    def has_network(self, network: NetworkState) -> None:
        self._set(_network=network)

    def has_proxy(self, proxy: ProxyState) -> None:
        self._set(_proxy=proxy)

    def proxy(self) -> ProxyState:
        with self._cond:
            return self._proxy

    def answered(self, targets: Mapping[str, PodRun]) -> None:
        """The `ip:port`s that accept connections, each with the run of the pod that did."""
        self._set(_answered=dict(targets))

    def pod_run(self, ip: str) -> PodRun:
        """The present run of the pod at this address; empty: nothing runs there."""
        with self._cond:
            return _pod_run(self._ours(), ip)

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
        return [seen.ours for seen in self._seen.values() if seen.ours is not None]

    def _runs(self, container_id: str) -> bool:
        seen = self._seen.get(container_id)
        return (
            seen is not None and seen.ours is not None and seen.ours.state in ("running", "paused", "restarting")
        )

    def _reachable(self) -> Reachable:
        assert self._facts is not None
        ours = sorted(self._ours(), key=lambda container: container.name)
        proxy_runs = any(c.container == SYSTEM_PROXY and c.state == "running" for c in ours)
        runs = {ip: _pod_run(ours, ip) for ip in {target.rpartition(":")[0] for target in self._answered}}
        return Reachable(
            facts=self._facts,
            containers=tuple(ours),
            images=self._images,
            used_ports={port: seen.name for seen in self._seen.values() for port in seen.ports},
            network=self._network,
            proxy=msgspec.structs.replace(self._proxy, running=proxy_runs),
            listening=frozenset(
                target for target, run in self._answered.items() if run == runs[target.rpartition(":")[0]]
            ),
            busy=self._busy,
            since=self._since,
            at=self._heard,
        )


def _pod_run(containers: Iterable[ObservedContainer], ip: str) -> PodRun:
    containers = list(containers)
    uids = {container.uid for container in containers if container.ip == ip and container.state == "running"}
    return tuple(
        sorted((c.id, c.started_at) for c in containers if uids and c.uid in uids and c.state == "running")
    )
