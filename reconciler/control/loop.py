"""The loop: takes what happened, plans, stores the intent, acts, and sleeps until something happens.

It never waits for a host or a remote: sessions and the source have threads of their own, and tell the inbox.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from msgspec.structs import replace

from reconciler.control.cycle import Turn, turn
from reconciler.control.fleet import Fleet
from reconciler.control.heap import expect_to_stay
from reconciler.control.hosts import Hosts
from reconciler.control.inbox import (
    Inbox,
    Message,
    NodeObserved,
    OrderEnded,
    SourceBroke,
    SourceRead,
    Stop,
    WorkFinished,
)
from reconciler.control.leadership import Blocked, Candidate, Leadership, led_nodes
from reconciler.control.narration import (
    of_difference,
    of_hold,
    of_nodes,
    of_order,
    of_order_ended,
    of_source,
    of_turn,
)
from reconciler.control.orders import Orders
from reconciler.control.pod_narration import of_containers, of_statuses, of_work_done
from reconciler.control.ports import Issuer, Store
from reconciler.control.pulls import Pulls
from reconciler.control.refresh import Load
from reconciler.control.timestamps import NOTHING_PLANNED, with_changes, with_timestamps
from reconciler.model.clock import Clock
from reconciler.model.desired import Desired, Rejected, SourceSnapshot, Unavailable
from reconciler.model.leases import Seat
from reconciler.model.names import Ref
from reconciler.model.observed import Observed
from reconciler.model.plan import Hold, Plan, Status
from reconciler.model.records import Event
from reconciler.planning import Planner, Rules, after_failure, after_success, emptied, held
from reconciler.services import ServiceLayer
from reconciler.store import StoreFailed

IDLE_SECONDS = 3600.0
"""The longest sleep: everything that matters wakes the loop by itself."""

STORE_RETRY_SECONDS = 5.0
STATE_SECONDS = 5.0
"""How long it may go unseen, while nothing happens, that the state was taken away."""
STORE = Ref("Store", "", "state")

LATER_SETTLE_SECONDS = 1.0
"""How long a running cluster waits for a node that has just been added, before it plans without it."""


class Narrator(Protocol):
    """Who is told what happens: a terminal, or a test."""

    def tell(self, event: Event) -> None: ...

    def progress(self, turn: Turn) -> None: ...


class Loop:
    """One control loop over one source and one store. `run` is called once, from the thread that owns all this.

    `load` is for the revision that the store has kept; no other thread calls it.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        load: Load,
        fleet: Fleet,
        store: Store,
        issuer: Issuer,
        narrator: Narrator,
        rules: Rules,
        candidate: Candidate,
    ) -> None:
        self._inbox = inbox
        self._load = load
        self._fleet = fleet
        self._store = store
        self._narrator = narrator
        self._rules = rules
        self._planner = Planner()
        self._layer = ServiceLayer()
        self._hosts = Hosts()
        self._memory = store.load()
        self._published = store.published()
        self._pulls = Pulls()
        self._orders = Orders(issuer)
        self._events: list[Event] = []
        self._unkept: SourceSnapshot | None = None
        self._settle_by = 0.0
        self._store_broken = ""
        self._resting = False
        self._seats: Mapping[str, Seat] = {}
        """As they were published."""
        self._leadership = Leadership(candidate, fleet.lead, lambda event: self._tell([event]))
        self.desired: Desired | None = None
        self.refusal: Rejected | Hold | None = None
        """Why the newest revision is not in force; None while it is."""
        self.turn: Turn | None = None
        self.observed: Observed | None = None
        self.took: Callable[[float], None] = lambda _: None
        """Told of each turn how many seconds it was."""

    def run(self, finished: Callable[["Loop"], bool]) -> None:
        """Until `Stop` arrives, or `finished` says so; it is asked after every turn and every wake."""
        wake = time.monotonic()
        while True:
            messages = self._inbox.take(max(0.0, min(wake - time.monotonic(), STATE_SECONDS)))
            for message in messages:
                self._hear(message)
            if any(isinstance(message, Stop) for message in messages):
                break
            if not messages and time.monotonic() < wake and not self._has_its_state_again():
                continue
            wake = time.monotonic() + self._step()
            self._flush()
            if finished(self):
                break

    @property
    def blocked(self) -> Blocked | None:
        """Another reconciler leads the cluster: nothing is done."""
        return self._leadership.blocked

    @property
    def converged(self) -> bool:
        """A certificate that is being asked for is waited for: it changes what the edges serve."""
        return self.turn is not None and self.turn.converged and not self._orders.under_way

    @property
    def kept(self) -> bool:
        """The hosts would come up like this without us."""
        return self.turn is not None and self.turn.kept

    # --- hearing ---------------------------------------------------------------------------------------------

    def _hear(self, message: Message) -> None:
        match message:
            case SourceRead():
                self._consider(message)
            case SourceBroke(error=error):
                raise error
            case NodeObserved(node=node):
                self._fleet.heard(node)
            case WorkFinished(node=node, outcome=outcome):
                if outcome.failed is not None or outcome.unknown:
                    self._memory = after_failure(self._memory, outcome, time.monotonic())
                else:
                    self._memory = after_success(self._memory, outcome)
                self._tell(self._pulls.ended(outcome, time.monotonic()))
                self._tell(of_work_done(node, outcome))
            case OrderEnded():
                self._hear_of_order(message)

    def _hear_of_order(self, message: OrderEnded) -> None:
        self._memory = self._orders.ended(message, self._memory, time.monotonic())
        failures = self._memory.orders[message.order.secret].failures
        self._tell(of_order_ended(message.order, message.result, failures))

    def _consider(self, read: SourceRead) -> None:
        """Take a new revision, or say why not and stay with the last good one."""
        result = self._with_nothing_emptied(read.result)
        if isinstance(result, Desired) and (hold := held(result, self._memory, self._rules.options)) is not None:
            self.refusal = hold
            self._recall()
            self._tell([of_hold(hold, self.desired)])
            return
        if isinstance(result, Desired):
            self.refusal = None
            self._take(result)
            self._unkept = read.snapshot
        else:
            self.refusal = result if isinstance(result, Rejected) else self.refusal
            self._recall()
        self._tell(of_source(result, self.desired))

    def _take(self, desired: Desired) -> None:
        first = self.desired is None
        self.desired = desired
        self._fleet.follow(desired, self._memory)
        patience = desired.cluster.spec.ssh.connect_timeout_seconds + 1 if first else LATER_SETTLE_SECONDS
        self._settle_by = time.monotonic() + patience

    def _recall(self) -> None:
        """After a restart with a bad revision at the tip: the last good one, as the store has kept it."""
        if self.desired is not None:
            return
        desired = self._kept()
        if desired is not None and held(desired, self._memory, self._rules.options) is None:
            self._take(desired)

    def _kept(self) -> Desired | None:
        """The last good revision, as the store has it."""
        try:
            snapshot = self._store.last_revision()
        except StoreFailed as failure:
            self._complain(failure)
            return None
        self._store_broken = ""
        desired = self._load(snapshot) if snapshot is not None else None
        return desired if isinstance(desired, Desired) else None

    def _with_nothing_emptied(self, result: Desired | Rejected | Unavailable) -> Desired | Rejected | Unavailable:
        """A revision with a file that has lost all its objects is rejected."""
        if not isinstance(result, Desired) or not result.empty_files:
            return result
        before = self.desired or self._kept()
        problems = emptied(result, before) if before is not None else ()
        return Rejected(result.revision, problems) if problems else result

    # --- acting ----------------------------------------------------------------------------------------------

    def _step(self) -> float:
        """Plan and act once, if it is time to; seconds until the next time, unless something happens before."""
        if self.desired is None and self._store_broken:
            self._recall()
        if self.desired is None:
            return STORE_RETRY_SECONDS if self._store_broken else IDLE_SECONDS
        if not self._keeps_state():
            return STORE_RETRY_SECONDS
        clock = Clock(time.monotonic(), time.time())
        now = clock.monotonic
        if not self._fleet.settled and now >= self._settle_by:
            self._fleet.give_up_waiting()
        again = self._leadership.step(self._fleet.seats(), now, self.desired.cluster, self._fleet.settled)
        if not self._leadership.leading:
            return self._stand_by(min(again, now + IDLE_SECONDS) - now)
        if not self._fleet.settled:
            return self._settle_by - now
        try:
            wake_at = self._turn(self.desired, clock)
        except StoreFailed as failure:
            self._planner.forget()
            self._complain(failure)
            return STORE_RETRY_SECONDS
        self._store_broken = ""
        return IDLE_SECONDS if wake_at is None else max(0.0, wake_at - time.monotonic())

    def _has_its_state_again(self) -> bool:
        was_resting = self._resting
        return self._keeps_state() and was_resting

    def _keeps_state(self) -> bool:
        """Is what we have written still where it was? Without it, nothing that is begun or kept up goes on."""
        try:
            self._store.check()
        except StoreFailed as failure:
            if not self._resting:
                self._fleet.rest()
            self._resting = True
            self._complain(failure)
            return False
        if self._resting:
            self._resting = False
            self._leadership.resume(time.monotonic())
        return True

    def _stand_by(self, wait: float) -> float:
        """Another reconciler may be leading: only who that is is published."""
        if self._leadership.blocked is not None:
            led = led_nodes(self._published, self._fleet.seats())
            try:
                if led:
                    self._published, self._seats = {**self._published, **led}, {}
                    self._planner.forget()
                    self._store.publish(self._published)
            except StoreFailed as failure:
                self._complain(failure)
        until = wait if self._fleet.settled else min(wait, self._settle_by - time.monotonic())
        return max(0.0, until)

    def _turn(self, desired: Desired, clock: Clock) -> float | None:
        now, observed = clock.monotonic, self._fleet.observe()
        before, self.observed = self.observed, observed
        self._tell(of_nodes(before, observed))
        self._tell(self._pulls.seen(observed, now))
        self._memory = self._orders.prepared(desired, self._memory)
        current = turn(
            desired, observed, self._memory, clock, self._rules, self._layer, self._planner.plan, self._hosts
        )
        if self._planner.difference:
            self._tell([of_difference(self._planner.difference)])
        if self._unkept is not None:
            self._store.keep_revision(self._unkept)
            self._unkept = None
        delta = current.plan.delta
        self._store.save(current.plan.memory, delta.pods if delta is not None else None)  # Before any effect.
        self._memory = current.plan.memory
        self._fleet.ensure(current.setups)
        for work in current.work:
            self._fleet.submit(work)
        for order in self._orders.place(current.due.orders):
            self._tell(of_order(order))
        last, self.turn = self.turn, current
        if last is None:
            expect_to_stay()
        self._publish(
            last, current.plan, clock.unix
        )  # Before the events: who reacts to one finds what it tells of.
        self._tell(self._pulls.begun(current.work, observed, now))
        self._tell(of_turn(last, current))
        self._tell(of_containers(before, observed, current.plan.statuses))
        self._tell(of_statuses(last.plan.statuses if last else None, current.plan.changed_statuses))
        self._narrator.progress(current)
        self.took(time.monotonic() - now)
        wakes = [at for at in (current.plan.wake_at, current.due.wake_at) if at is not None]
        return min(wakes, default=None)

    def _publish(self, last: Turn | None, plan: Plan, at: float) -> None:
        """Publish the statuses that differ, where the plan says which those are; `at` is in Unix seconds."""
        if plan.delta is None:
            planned = last.plan.statuses if last else NOTHING_PLANNED
            published: Mapping[Ref, Status] = with_timestamps(self._published, plan.statuses, at, planned)
        else:
            published = with_changes(self._published, plan.statuses, plan.delta.statuses, at)
        seats, before = self._fleet.seats(), self._seats if plan.delta is not None else {}
        told = _told(plan, seats)
        asked = [name for name, seat in seats.items() if name in told or seat != before.get(name)]
        led = led_nodes(published, {name: seats[name] for name in asked})
        self._published, self._seats = {**published, **led} if led else published, seats
        self._store.publish(self._published, plan.delta.statuses | led.keys() if plan.delta is not None else None)

    def _complain(self, failure: StoreFailed) -> None:
        """Nothing is done on any host while intents cannot be stored; said once per reason."""
        if str(failure) != self._store_broken:
            self._store_broken = str(failure)
            self._narrator.tell(
                Event(STORE, "Warning", "StoreFailed", f"{failure}; no host is changed until then")
            )

    # --- telling ---------------------------------------------------------------------------------------------

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self._narrator.tell(event)
            self._events.append(replace(event, at=time.time()))

    def _flush(self) -> None:
        """Events reach the store after the work has begun, never before."""
        events, self._events = self._events, []
        if events:
            try:
                self._store.record(events)
            except StoreFailed as failure:
                self._complain(failure)


def _told(plan: Plan, nodes: Collection[str]) -> Collection[str]:
    """Return the nodes that the plan tells of anew: it knows nothing of who leads."""
    return nodes if plan.delta is None else {ref.name for ref in plan.delta.statuses if ref.kind == "Node"}
