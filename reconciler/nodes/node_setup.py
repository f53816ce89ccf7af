"""Brings a host's network, name servers, proxy and prober to what was last asked for, and keeps them there.

One thread per link. The network comes first: HAProxy cannot bind a service address that the host does not have.
Then the names, which take a moment where a reload takes longer. One thing at a time, and the newest request wins:
a hundred structural changes a second are a few reloads. Now and then all of it is looked at, step by step.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.observed import BootState, DnsState, ProxyState
from reconciler.model.proxy import NodeProxy
from reconciler.model.setups import NodeBoot, NodeDns, NodeProber, NodeSetup
from reconciler.nodes.boot.keeper import BootKeeper
from reconciler.nodes.dns.servers import Dns
from reconciler.nodes.errors import ConnectionLost, NodeError, OutcomeUnknown
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.images.pull import Puller
from reconciler.nodes.images.system_images import ImageMissing, SystemImages
from reconciler.nodes.network.keeper import NetworkKeeper
from reconciler.nodes.prober.session import ProberSession
from reconciler.nodes.proxy.haproxy import Proxy

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LOOK_SECONDS = 5.0
"""How long a change that somebody else makes to the network goes unseen."""
_PATIENCE = 10.0
"""How long a look that is due lets everything new go first; from then on, they take turns."""
_Done = TypeVar("_Done")
_SetupStep = Callable[[NodeSetup], bool]
"""Whether that part of the host is right now."""


class _Look:
    """A look at all of the host, step by step: when the next one is due, and how far this one has come."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._pause = _FIRST_PAUSE
        self._next = self._glance = 0.0
        self._right = True
        self.steps: list[_SetupStep] = []
        """Left of the one under way."""

    @property
    def due(self) -> float:
        """Monotonic seconds: when there is something to do for it, or for a glance at the network."""
        return 0.0 if self.steps else min(self._next, self._glance)

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self._next

    @property
    def glance_is_due(self) -> bool:
        return time.monotonic() >= self._glance

    @property
    def is_overdue(self) -> bool:
        return time.monotonic() >= min(self._next, self._glance) + _PATIENCE

    def begin(self, steps: list[_SetupStep]) -> None:
        self.steps, self._right = steps, True
        self.glanced()

    def glanced(self) -> None:
        self._glance = time.monotonic() + _LOOK_SECONDS

    def took(self, right: bool) -> None:
        """A step, and whether that part of the host is right."""
        self._right = self._right and right
        if not self.steps:
            self.applied(self._right, everything=True)

    def applied(self, right: bool, everything: bool) -> None:
        """Note whether all is right: if not, it is looked at again, ever later. A change puts off no look."""
        now = time.monotonic()
        if not right:
            again = now + self._pause
            self._next = again if everything else min(self._next, again)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE) if everything else self._pause
        elif everything:
            self._pause, self._next = _FIRST_PAUSE, now + self._every


class HostParts(Struct, frozen=True):
    """What a host has beside its pods, each with who keeps it."""

    network: NetworkKeeper
    dns: Dns
    proxy: Proxy
    prober: ProberSession
    boot: BootKeeper
    look_at_files: Callable[[], None]
    """Records the files of pods; may raise NodeError."""


class SetupKeeper:
    """Keeps the parts of one host as they are wanted; `work` runs in a thread of its own."""

    def __init__(self, cache: HostCache, parts: HostParts, puller: Puller, recheck: float) -> None:
        """`recheck`: after so many seconds everything is looked at, though nothing has changed."""
        self._cache = cache
        self._network = parts.network
        self._dns = parts.dns
        self._proxy = parts.proxy
        self._prober = parts.prober
        self._look_at_files = parts.look_at_files
        self._boot = parts.boot
        self._images = SystemImages(puller)
        self._recheck = recheck
        self._cond = threading.Condition()
        self._wanted: NodeSetup | None = None
        self._in_doubt = False
        """What is known of the host's containers may be wrong."""
        self._proxy_in_doubt = False
        self._stopped = False

    def want(self, setup: NodeSetup) -> None:
        with self._cond:
            self._wanted = setup
            self._cond.notify()

    def rest(self) -> None:
        """Do nothing until something is wanted again; what is being done ends."""
        with self._cond:
            self._wanted = None

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
        attended = False
        look = _Look(self._recheck)
        looks_turn = False
        while (wanted := self._next(done, look.due)) is not None:
            if not attended:
                attended = self._attend()
            if self._is_new(wanted, done) and not looks_turn:
                look.applied(self._apply(wanted, done), everything=done is None)
                done, looks_turn = wanted, look.is_overdue
            else:
                looks_turn = False
                if time.monotonic() >= self._proxy.due:
                    look.applied(self._follow_up(wanted.proxy), everything=False)
                self._look_on(look, wanted)

    def _look_on(self, look: _Look, wanted: NodeSetup) -> None:
        """The next step of the look at the host, where one is due."""
        if look.steps:
            look.took(look.steps.pop(0)(wanted))
        elif look.is_due:
            look.begin(self._steps())
        elif look.glance_is_due:
            if self._network.has_drifted():
                look.begin([self._apply_files, *self._steps()])
            else:
                look.glanced()

    def _attend(self) -> bool:
        try:
            self._boot.attend()
        except NodeError:
            return False
        return True

    def _steps(self) -> list[_SetupStep]:
        """What has not changed, too, is looked at; between two of them, what is new goes first."""
        return [
            lambda wanted: self._network.keep(wanted.network),
            lambda wanted: wanted.dns is None or self._apply_dns(wanted.dns, full=True),
            lambda wanted: self._apply_proxy(wanted.proxy, in_doubt=True),
            lambda wanted: self._apply_prober(wanted.prober, full=True),
            lambda wanted: wanted.boot is None or self._apply_boot(wanted.boot, full=True),
        ]

    def _next(self, done: NodeSetup | None, next_check: float) -> NodeSetup | None:
        """Wait for something to do, and say what is wanted; None: stopped."""
        with self._cond:
            while not self._stopped and (self._wanted is None or not self._due(self._wanted, done, next_check)):
                due = min(next_check, self._proxy.due)
                self._cond.wait(None if self._wanted is None else due - time.monotonic())
            return None if self._stopped else self._wanted

    def _due(self, wanted: NodeSetup, done: NodeSetup | None, next_check: float) -> bool:
        return self._is_new(wanted, done) or time.monotonic() >= min(next_check, self._proxy.due)

    def _is_new(self, wanted: NodeSetup, done: NodeSetup | None) -> bool:
        return self._in_doubt or wanted != done

    def _apply(self, wanted: NodeSetup, done: NodeSetup | None) -> bool:
        with self._cond:
            in_doubt, self._in_doubt = self._in_doubt, False
        first, network_is_right = done is None, True
        if done is None or done.network != wanted.network:
            network_is_right = self._network.apply(wanted.network, full=first)
        dns_is_right = wanted.dns is None or self._apply_dns(wanted.dns, full=first)
        proxy_is_right = self._apply_proxy(wanted.proxy, in_doubt=first or in_doubt)
        prober_is_right = self._apply_prober(wanted.prober, full=first)
        boot_is_right = wanted.boot is None or self._apply_boot(wanted.boot, full=first)
        return network_is_right and dns_is_right and proxy_is_right and prober_is_right and boot_is_right

    def _apply_dns(self, wanted: NodeDns, full: bool) -> bool:
        try:
            state = self._with_image(wanted.image, lambda: self._dns.ensure(wanted, full))
        except NodeError as error:
            state = DnsState(error=str(error))
        self._cache.record_dns(state)
        return not state.error

    def _apply_proxy(self, wanted: NodeProxy, in_doubt: bool) -> bool:
        """What is left to do of earlier changes is done too, whatever comes of this one."""
        in_doubt, self._proxy_in_doubt = in_doubt or self._proxy_in_doubt, False
        now = self._cache.proxy()
        try:
            if in_doubt:  # Somebody else may have written the file since, or HAProxy have started anew.
                now, _ = self._proxy.read_back()
            state = self._with_image(wanted.image, lambda: self._proxy.ensure(wanted, now))
        except NodeError as error:
            state = self._proxy_failed(now, wanted, error)
        self._cache.record_proxy(state)
        follows = time.monotonic() < self._proxy.due or self._follow_up(wanted)
        return follows and not state.error

    def _follow_up(self, wanted: NodeProxy) -> bool:
        now = self._cache.proxy()
        try:
            state = self._proxy.follow_up(now)
        except NodeError as error:
            state = self._proxy_failed(now, wanted, error)
        self._cache.record_proxy(state)
        return not state.error

    def _proxy_failed(self, now: ProxyState, wanted: NodeProxy, error: NodeError) -> ProxyState:
        """Nothing that is known of the proxy counts for the next try: its directory may be gone, say."""
        self._proxy_in_doubt = True
        if isinstance(error, OutcomeUnknown | ConnectionLost):
            # Perhaps the new file is in force, perhaps the old one: whatever either routes to is still routed.
            now = replace(now, fingerprint="", routed=now.routed | wanted.routed)
        return replace(now, error=str(error))

    def _apply_prober(self, wanted: NodeProber, full: bool) -> bool:
        try:
            self._with_image(wanted.image, lambda: self._prober.ensure(wanted, full))
        except NodeError as error:
            self._cache.record_prober_error(str(error))
            return False
        self._cache.record_prober_error("")
        return True

    def _apply_files(self, _: NodeSetup) -> bool:
        """Those of pods are the plan's to put right; here they are only looked at."""
        try:
            self._look_at_files()
        except NodeError:
            return False
        return True

    def _apply_boot(self, wanted: NodeBoot, full: bool) -> bool:
        try:
            state = self._with_image(wanted.image, lambda: self._boot.ensure(wanted, full))
        except NodeError as error:
            state = BootState(error=str(error))
        self._cache.record_boot(state)
        return not state.error

    def _with_image(self, image: str, ensure: Callable[[], _Done]) -> _Done:
        """The node's own containers are of one image: that it is missing is the proxy's to say, before others."""
        try:
            return self._images.with_image(image, ensure)
        except ImageMissing as error:
            self._cache.record_proxy(replace(self._cache.proxy(), error=str(error)))
            raise
