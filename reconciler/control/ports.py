"""What the control loop needs from the outside world; `sources`, `nodes` and `store` provide it.

Nothing here blocks the loop on a host or a remote: observing is a look at what a session already knows.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, Self

from reconciler.model.acme import AcmeAccount, Order
from reconciler.model.desired import Rejected, Revision, SourceSnapshot, Unavailable
from reconciler.model.leases import Claim, Seat
from reconciler.model.memory import Memory
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Observation
from reconciler.model.operations import PodWork
from reconciler.model.plan import Status
from reconciler.model.records import Event
from reconciler.model.setups import NodeSetup
from reconciler.store.ownership import Holder


class Source(Protocol):
    """A Git branch, or a folder."""

    def read(self) -> SourceSnapshot | Rejected | Unavailable:
        """The source as it is now. Within its own deadline. Never raises for what a user or a network can do."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from another thread, whenever `read` may have something new to say. Call once."""

    def close(self) -> None: ...


class NodeSession(Protocol):
    """One host, held by one SSH connection."""

    @property
    def name(self) -> str: ...

    def observe(self) -> Observation:
        """What is known now; at once."""

    @property
    def seat(self) -> Seat:
        """How the lease on the host stands, as far as known; at once. Told of like all else that is observed."""

    def lead(self, claim: Claim | None) -> None:
        """Ask the host for its lease in the background, now and after each new connection; None: let go of it.

        Without one the session looks, and neither `submit` nor `ensure` does anything to the host."""

    def rest(self) -> None:
        """Keep the lease, and begin nothing on the host until `lead` asks anew."""

    def submit(self, work: PodWork) -> None:
        """Carry out in the background. The pod is in `Reachable.busy` from this call until its outcome is told."""

    def ensure(self, setup: NodeSetup) -> None:
        """Bring network and proxy to this state in the background; the last one asked for wins."""

    def stop(self, release: bool = False) -> None:
        """Stop at once: nothing is done to the host any more, nor reported of it. The threads end in the
        background.

        `release`: nobody follows who keeps the lease; the host is told that it is free.
        """

    @property
    def ended(self) -> bool:
        """They have."""

    def close(self) -> None:
        """Stop, and wait for the end; no longer than some seconds after `stop`."""


class Issuer(Protocol):
    """Who has certificates issued by ACME servers."""

    def new_account(self) -> AcmeAccount: ...

    def order(self, order: Order) -> None:
        """Ask in the background; how it ended arrives in the inbox."""


class Store(Protocol):
    """What survives a restart, as its one writer has it; readers see the last complete write (`StoreReader`).

    Every write is fenced: opening the store makes this process its owner, and a write is refused as a whole, with
    StoreFailed, once the store has another owner, or is not where it was any more. What is written are the rows
    that differ (`store.rows`), so a backend needs to know no more than how to apply a `Delta`.
    """

    @property
    def identity(self) -> str:
        """Identify this state wherever it is restarted; no other one has the same, nor a copy of it elsewhere."""

    def check(self) -> None:
        """The fence: StoreFailed where a write would be refused now, for what was written is not where it was any
        more: removed, replaced or overwritten."""

    def load(self) -> Memory: ...

    def save(self, memory: Memory, pods: Collection[Uid] | None = None) -> None:
        """All of it or nothing; only what differs from the last load or save is written. Durable on return.

        `pods`: nothing that is remembered of any other pod differs; None: it may."""

    def publish(self, statuses: Mapping[Ref, Status], changed: Collection[Ref] | None = None) -> None:
        """Replace the statuses that `reconciler get` shows. The mapping must not be changed afterwards.

        `changed`: no other status differs from those published last; None: any may."""

    def published(self) -> Mapping[Ref, Status]:
        """What was published last, also by an earlier process; nothing of what this version cannot read."""

    def record(self, events: Sequence[Event]) -> None: ...

    def keep_revision(self, snapshot: SourceSnapshot) -> None:
        """Remember the last good revision whole, so that a restart has it even if the source is broken by then."""

    def last_revision(self) -> SourceSnapshot | None: ...

    def close(self) -> None:
        """Give the ownership back. May be called again."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class StoreReader(Protocol):
    """Looking at a store, from any process: each method shows the last complete write, StoreFailed where it cannot
    be read."""

    def holder(self) -> Holder | None:
        """The process that keeps this state up to date now; None: nobody does."""

    def published_at(self) -> float | None:
        """Unix seconds of the last change of any status."""

    def statuses(self) -> dict[Ref, Status]:
        """Return the published objects in the order of their references."""

    def events(self) -> tuple[Event, ...]:
        """The one seen last comes last."""

    def memory(self) -> Memory: ...

    def revision(self) -> Revision | None:
        """The last good revision."""

    def last_revision(self) -> SourceSnapshot | None:
        """The last good revision with its files."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
