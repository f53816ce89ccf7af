"""Brings a host's network, proxy and prober to what was last asked for, and keeps them there; one thread per link.

The network comes first: HAProxy cannot bind a service address that the host does not have. One thing at a time,
and the newest request wins: a hundred changes a second are a few reloads.
"""

import threading
import time

import msgspec
from structlog.typing import FilteringBoundLogger as BoundLogger

from reconciler.model.observed import ProxyState
from reconciler.model.operations import NodeProber, NodeProxy, NodeSetup
from reconciler.nodes.engine import Engine
from reconciler.nodes.errors import ConnectionLost, EngineError, NodeError, OutcomeUnknown
from reconciler.nodes.network_keeper import NetworkKeeper
from reconciler.nodes.prober import Prober
from reconciler.nodes.proxy import Proxy
from reconciler.nodes.pulling import Puller
from reconciler.nodes.shell import Shell
from reconciler.nodes.view import HostView

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LOOK_SECONDS = 5.0
"""How long a change that somebody else makes to the network goes unseen."""


class SetupKeeper:
    def __init__(
        self,
        cluster: str,
        view: HostView,
        engine: Engine,
        shell: Shell,
        proxy: Proxy,
        prober: Prober,
        puller: Puller,
        recheck: float,
        log: BoundLogger,
    ) -> None:
        self._view = view
        self._network = NetworkKeeper(cluster, view, engine, shell, log)
        self._proxy = proxy
        self._prober = prober
        self._puller = puller
        self._recheck = recheck
        self._cond = threading.Condition()
        self._wanted: NodeSetup | None = None
        self._in_doubt = False
        self._stopped = False

    def want(self, setup: NodeSetup) -> None:
        with self._cond:
            self._wanted = setup
            self._cond.notify()

    def container_changed(self) -> None:
        """The proxy's or the prober's did something: started, ended, went away."""
        with self._cond:
            self._in_doubt = True
            self._cond.notify()

    def stop(self) -> None:
        with self._cond:
            self._stopped = True
            self._cond.notify()

    def work(self) -> None:
        """Until `stop`; to be run in a thread of its own."""
        done: NodeSetup | None = None
        pause, next_check, next_look = _FIRST_PAUSE, 0.0, 0.0
        while (wanted := self._next(done, min(next_check, next_look))) is not None:
            full = time.monotonic() >= next_check
            if time.monotonic() >= next_look:
                full = full or self._network.has_drifted()
                next_look = time.monotonic() + _LOOK_SECONDS
            if wanted == done and not full and not self._in_doubt:
                continue
            self._in_doubt = False
            if self._apply(wanted, done, full):
                pause = _FIRST_PAUSE
                next_check = time.monotonic() + self._recheck if full else next_check
            else:
                next_check, pause = time.monotonic() + pause, min(pause * 2, _LONGEST_PAUSE)
            done = wanted

    def _next(self, done: NodeSetup | None, next_check: float) -> NodeSetup | None:
        """Wait for something to do; None: stopped."""
        with self._cond:
            while not self._stopped and not self._due(done, next_check):
                self._cond.wait(None if self._wanted is None else next_check - time.monotonic())
            return None if self._stopped else self._wanted

    def _due(self, done: NodeSetup | None, next_check: float) -> bool:
        if self._wanted is None:
            return False
        return self._wanted != done or self._in_doubt or time.monotonic() >= next_check

    def _apply(self, wanted: NodeSetup, done: NodeSetup | None, full: bool) -> bool:
        network_is_right = True
        if full or done is None or done.network != wanted.network:
            network_is_right = self._network.apply(wanted.network, full)
        proxy_is_right = self._apply_proxy(wanted.proxy, full)
        return self._apply_prober(wanted.prober, full) and proxy_is_right and network_is_right

    def _apply_proxy(self, wanted: NodeProxy, full: bool) -> bool:
        now = self._view.proxy()
        try:
            if full:  # Somebody else may have written the file since.
                now, _ = self._proxy.read_back()
            state = self._ensure_proxy(wanted, now)
        except (OutcomeUnknown, ConnectionLost) as error:
            # Perhaps the new file is in force, perhaps the old one: whatever either routes to is still routed.
            state = msgspec.structs.replace(
                now, fingerprint="", routed=now.routed | wanted.routed, error=str(error)
            )
        except NodeError as error:
            state = msgspec.structs.replace(now, error=str(error))
        self._view.has_proxy(state)
        return not state.error

    def _apply_prober(self, wanted: NodeProber, full: bool) -> bool:
        try:
            try:
                self._prober.ensure(wanted, full)
            except EngineError as error:
                if error.status != 404 or "image" not in error.message.lower():
                    raise
                self._puller.pull(wanted.image)
                self._prober.ensure(wanted, full)
        except NodeError as error:
            self._view.has_prober_error(str(error))
            return False
        self._view.has_prober_error("")
        return True

    def _ensure_proxy(self, wanted: NodeProxy, now: ProxyState) -> ProxyState:
        try:
            return self._proxy.ensure(wanted, now)
        except EngineError as error:
            if error.status != 404 or "image" not in error.message.lower():
                raise
        try:
            self._puller.pull(wanted.image)
        except (OutcomeUnknown, ConnectionLost):
            raise
        except NodeError as error:
            raise NodeError(
                f"no service is reached on this node without its proxy image. Docker has no {wanted.image}, and "
                f"{error}. Load it there (docker save {wanted.image} | ssh HOST docker load), or name one that "
                "can be pulled in spec.images.proxy of the Cluster; docs/how-to/proxy-image.md says how to make it"
            ) from error
        return self._proxy.ensure(wanted, now)
