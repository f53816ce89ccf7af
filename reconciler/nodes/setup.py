"""Brings a host's network, name servers, proxy and prober to what was last asked for, and keeps them there.

One thread per link. The network comes first: HAProxy cannot bind a service address that the host does not have.
Then the names, which take a moment where a reload takes longer. One thing at a time, and the newest request wins:
a hundred structural changes a second are a few reloads.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct
from structlog.typing import FilteringBoundLogger as BoundLogger

from reconciler.model.observed import DnsState, ProxyState
from reconciler.model.operations import NodeDns, NodeProber, NodeSetup
from reconciler.model.proxy import NodeProxy
from reconciler.nodes.dns import Dns
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
_Done = TypeVar("_Done")


class _Task(Struct, frozen=True):
    wanted: NodeSetup
    in_doubt: bool
    """What is known of the host's containers may be wrong."""


class SetupKeeper:
    def __init__(
        self,
        cluster: str,
        view: HostView,
        engine: Engine,
        shell: Shell,
        dns: Dns,
        proxy: Proxy,
        prober: Prober,
        puller: Puller,
        recheck: float,
        log: BoundLogger,
    ) -> None:
        self._view = view
        self._network = NetworkKeeper(cluster, view, engine, shell, log)
        self._dns = dns
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
        """The proxy's, the prober's or the name servers' did something: started, ended, went away."""
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
        while (task := self._next(done, min(next_check, next_look))) is not None:
            full = time.monotonic() >= next_check
            if time.monotonic() >= next_look:
                full = full or self._network.has_drifted()
                next_look = time.monotonic() + _LOOK_SECONDS
            if not full and not self._is_new(task, done):
                continue
            if self._apply(task, done, full):
                pause = _FIRST_PAUSE
                next_check = time.monotonic() + self._recheck if full else next_check
            else:
                next_check, pause = time.monotonic() + pause, min(pause * 2, _LONGEST_PAUSE)
            done = task.wanted

    def _next(self, done: NodeSetup | None, next_check: float) -> "_Task | None":
        """Wait for something to do; None: stopped."""
        with self._cond:
            while not self._stopped and (self._wanted is None or not self._due(done, next_check)):
                due = min(next_check, self._proxy.due)
                self._cond.wait(None if self._wanted is None else due - time.monotonic())
            in_doubt, self._in_doubt = self._in_doubt, False
            return None if self._stopped or self._wanted is None else _Task(self._wanted, in_doubt)

    def _due(self, done: NodeSetup | None, next_check: float) -> bool:
        now = time.monotonic()
        return self._wanted != done or self._in_doubt or now >= next_check or now >= self._proxy.due

    def _is_new(self, task: _Task, done: NodeSetup | None) -> bool:
        return task.in_doubt or task.wanted != done or time.monotonic() >= self._proxy.due

    def _apply(self, task: _Task, done: NodeSetup | None, full: bool) -> bool:
        wanted, network_is_right = task.wanted, True
        if full or done is None or done.network != wanted.network:
            network_is_right = self._network.apply(wanted.network, full)
        dns_is_right = wanted.dns is None or self._apply_dns(wanted.dns, full)
        proxy_is_right = self._apply_proxy(wanted.proxy, full or task.in_doubt)
        return self._apply_prober(wanted.prober, full) and proxy_is_right and dns_is_right and network_is_right

    def _apply_dns(self, wanted: NodeDns, full: bool) -> bool:
        try:
            state = self._with_image(wanted.image, lambda: self._dns.ensure(wanted, full))
        except NodeError as error:
            state = DnsState(error=str(error))
        self._view.has_dns(state)
        return not state.error

    def _apply_proxy(self, wanted: NodeProxy, in_doubt: bool) -> bool:
        now = self._view.proxy()
        try:
            if in_doubt:  # Somebody else may have written the file since, or HAProxy have started anew.
                now, _ = self._proxy.read_back()
            state = self._ensure_proxy(wanted, now)
            if time.monotonic() >= self._proxy.due:
                state = self._proxy.follow_up(state)
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
            self._with_image(wanted.image, lambda: self._prober.ensure(wanted, full))
        except NodeError as error:
            self._view.has_prober_error(str(error))
            return False
        self._view.has_prober_error("")
        return True

    def _with_image(self, image: str, ensure: Callable[[], _Done]) -> _Done:
        """Once more with the image pulled, where Docker lacks it."""
        try:
            return ensure()
        except EngineError as error:
            if error.status != 404 or "image" not in error.message.lower():
                raise
        self._puller.pull(image)
        return ensure()

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
