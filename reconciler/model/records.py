"""What is kept for people to read: events, as `kubectl get events` shows them."""

from typing import Literal

from msgspec import Struct

from reconciler.model.names import Ref


class Event(Struct, frozen=True):
    """Something that happened to an object; equal ones are counted, not repeated."""

    about: Ref
    type: Literal["Normal", "Warning"]
    reason: str
    """One CamelCase word: Scheduled, Pulling, Created, Started, Killing, BackOff, NodeNotReady…"""
    message: str
    node: str = ""
    at: float = 0.0
    """Unix seconds; to show, never to compute with."""
    count: int = 1
