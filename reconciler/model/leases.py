"""Who may change a host: a lease that one reconciler holds on it, as asked for, as found, and as it stands."""

from msgspec import Struct


class Claim(Struct, frozen=True):
    """What a reconciler asks of every host before it changes anything there."""

    owner: str
    """The identity of the state that it keeps: a process that is started again on it has the same."""
    epoch: int
    """Higher than every epoch seen on any host of the cluster: a host takes no effect of a lower one any more."""
    holder: str
    """Who that is, for people: one line."""
    take_over: bool = False
    """Whether the lease is taken, too, from one who holds a lower epoch and has not let go of it."""
    seconds: float = 15.0
    """How long the lease lasts without being renewed."""
    process: str = "-"
    """The holder's, by which others on its machine see that it has ended (`control.processes`)."""


class HostLease(Struct, frozen=True):
    """The lease on a host, as it was read there."""

    owner: str
    epoch: int
    holder: str
    seconds: float
    """How long it still lasts unless it is renewed, by the host's own clock since its boot; 0: it has ended."""
    released: bool = False
    """Its holder has let go of it, rather than fallen silent."""
    process: str = "-"

    @property
    def live(self) -> bool:
        return self.seconds > 0

    def is_held_by(self, claim: Claim) -> bool:
        return (self.owner, self.epoch) == (claim.owner, claim.epoch)


class Seat(Struct, frozen=True):
    """How the lease on one host stands, as its session knows at this moment."""

    connected: bool
    lease: HostLease | None = None
    """The lease as last read, also over an earlier connection; None: the host has none."""
    granted: int = 0
    """The epoch under which the session may change the host; 0: it may only look."""
    refused: int = 0
    """The epoch of the claim that the host has refused; `lease` says for whom. 0: none."""
