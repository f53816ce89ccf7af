"""How a session stands with its host's lease, as the loop is told. Pure."""

from reconciler.model.leases import Claim, HostLease, Seat


def refused_epoch(claim: Claim | None, held: int) -> int:
    """The epoch of the claim that was just made, where nothing was granted for it; 0: it was, or there is none."""
    return 0 if claim is None or held == claim.epoch else claim.epoch


def connected_seat(found: HostLease | None, held: int, refused: int) -> Seat:
    """The seat of a session that is connected: the lease as read on the host, and what of it is held here."""
    return Seat(True, found, held, 0 if held else refused)


def differs(before: Seat, after: Seat) -> bool:
    """Something has changed that the loop may wait for: a mere renewal has not."""
    return _essence(before) != _essence(after)


def _essence(seat: Seat) -> tuple[object, ...]:
    lease = seat.lease
    named = None if lease is None else (lease.owner, lease.epoch, lease.live)
    return seat.connected, named, seat.granted, seat.refused
