"""Which look at a host's containers counts: replies of Docker can overtake each other between threads.

Each look takes a ticket before it asks, and an older look never overwrites a newer one. Used by host_state.py
alone, under its lock.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.observed import Ended, ObservedContainer
from reconciler.nodes.docker.replies import sortable_moment
from reconciler.nodes.pods.attached import Attachment

Ticket = int
NO_ENDS: Final[Mapping[str, Ended]] = {}


class Seen(Struct, frozen=True):
    """One container, as looked at last."""

    ours: ObservedContainer | None
    """None: foreign; only its ports concern us."""
    name: str
    ports: tuple[int, ...]
    pid: int = 0
    """Its first process, as the host sees it; 0: it does not run."""
    attachments: tuple[Attachment, ...] = ()
    """What it mounts of the host's directories, if it runs."""


class Looks:
    """The containers of one host, by id, as the newest look at each has found them."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.ends: dict[str, Ended] = {}
        """How the last run of a container that was seen to end has ended."""
        self._tickets = 0
        self._looked: dict[str, Ticket] = {}
        self._listed: Ticket = 0

    def ticket(self) -> Ticket:
        """For a look that begins now."""
        self._tickets += 1
        return self._tickets

    def take(self, ticket: Ticket, container_id: str, seen: Seen | None, end: Ended | None) -> bool:
        """One container; `seen` None: Docker knows none of this id any more. True: that is news."""
        news = self._note_end(container_id, end)
        if ticket >= max(self._listed, self._looked.get(container_id, 0)):
            self._looked[container_id] = ticket
            news |= seen != self.seen.get(container_id)
            if seen is not None:
                self.seen[container_id] = seen
            elif news:
                self.seen.pop(container_id, None)
                self.ends.pop(container_id, None)
        return news

    def take_all(self, ticket: Ticket, found: Mapping[str, Seen], ends: Mapping[str, Ended]) -> bool:
        """A full list: what is not in it is gone, unless it was looked at later. True: that is news.

        One that was asked for before another one that is here already says nothing new."""
        if ticket < self._listed:
            return False
        news = bool([key for key, end in ends.items() if self._note_end(key, end)])
        newer = {key: self.seen[key] for key, at in self._looked.items() if at > ticket and key in self.seen}
        gone_since = {key for key, at in self._looked.items() if at > ticket and key not in self.seen}
        seen = {key: value for key, value in found.items() if key not in gone_since} | newer
        self._looked = {key: at for key, at in self._looked.items() if at > ticket}
        self._listed = ticket
        if seen == self.seen and not news:
            return False
        self.seen = seen
        self.ends = {key: end for key, end in self.ends.items() if key in seen}
        return True

    def _note_end(self, container_id: str, end: Ended | None) -> bool:
        known = self.ends.get(container_id)
        if end is None or (known is not None and sortable_moment(known.at) > sortable_moment(end.at)):
            return False
        self.ends[container_id] = end
        return end != known
