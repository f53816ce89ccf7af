"""Gives out what only one may have: service addresses and node ports.

First come, first served: what somebody has stays theirs, even where another's manifest names it since.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from reconciler.model.names import Ref

Value = TypeVar("Value", str, int)
Slot = TypeVar("Slot", bound=Hashable)


class Ask(Struct, Generic[Value], frozen=True):
    """One thing asked for; a Value that is false is none."""

    owner: Ref
    named: Value
    """The value that the manifest names."""
    before: Value
    """What it has had so far."""


class Shares(Struct, Generic[Slot, Value], frozen=True):
    given: dict[Slot, Value]
    """What each slot got; those that got nothing are not in it."""
    refused: dict[Slot, Ref]
    """Who has what they name. They keep what they had before."""


def share_out(
    asks: Mapping[Slot, Ask[Value]], candidates: Callable[[Slot], Iterable[Value]]
) -> Shares[Slot, Value]:
    """`candidates` are, for what is not named, tried in their order."""
    given: dict[Slot, Value] = {}
    owners: dict[Value, Ref] = {}

    def give(slot: Slot, value: Value) -> None:
        given[slot] = value
        owners[value] = asks[slot].owner

    named = {(ask.owner, ask.named) for ask in asks.values()}
    for slot, ask in asks.items():
        stands = ask.named == ask.before if ask.named else (ask.owner, ask.before) not in named
        if ask.before and stands and ask.before not in owners:
            give(slot, ask.before)
    refused: dict[Slot, Ref] = {}
    for slot, ask in asks.items():
        if ask.named and slot not in given:
            if (owner := owners.get(ask.named)) is None:
                give(slot, ask.named)
            else:
                refused[slot] = owner
    for slot in refused:
        if asks[slot].before and asks[slot].before not in owners:
            give(slot, asks[slot].before)
    for slot, ask in asks.items():
        if not ask.named and slot not in given:
            free = next((value for value in candidates(slot) if value not in owners), None)
            if free is not None:
                give(slot, free)
    return Shares(given, refused)
