"""Which look at a host's containers counts: replies of Docker can overtake each other between threads.

Each look takes a ticket before it asks, and an older look never overwrites a newer one. Used by host_cache.py
alone, under its lock.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.observed import Ended, ObservedContainer
from reconciler.nodes.docker.moments import sortable_moment
from reconciler.nodes.pods.attached import Attachment

Ticket = int
NO_ENDS: Final[Mapping[str, Ended]] = {}


class HostContainer(Struct, frozen=True):
    """A container of ours or of others on the host, as it was looked at last."""

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
        self.containers: dict[str, HostContainer] = {}
        self.ends: dict[str, Ended] = {}
        """How the last run of a container that was observed to end has ended."""
        self._tickets = 0
        self._looked: dict[str, Ticket] = {}
        self._listed: Ticket = 0

    def ticket(self) -> Ticket:
        """Return the ticket of a look that begins now."""
        self._tickets += 1
        return self._tickets

    def take(self, ticket: Ticket, container_id: str, container: HostContainer | None, end: Ended | None) -> bool:
        """One container; `container` None: Docker knows none of this id any more. True: that is news."""
        news = self._note_end(container_id, end)
        if ticket >= max(self._listed, self._looked.get(container_id, 0)):
            self._looked[container_id] = ticket
            news |= container != self.containers.get(container_id)
            if container is not None:
                self.containers[container_id] = container
            elif news:
                self.containers.pop(container_id, None)
                self.ends.pop(container_id, None)
        return news

    def take_all(self, ticket: Ticket, found: Mapping[str, HostContainer], ends: Mapping[str, Ended]) -> bool:
        """A full list: what is not in it is gone, unless it was looked at later. True: that is news.

        One that was asked for before another one that is here already says nothing new."""
        if ticket < self._listed:
            return False
        news = bool([key for key, end in ends.items() if self._note_end(key, end)])
        newer = {
            key: self.containers[key] for key, at in self._looked.items() if at > ticket and key in self.containers
        }
        gone_since = {key for key, at in self._looked.items() if at > ticket and key not in self.containers}
        containers = {key: value for key, value in found.items() if key not in gone_since} | newer
        self._looked = {key: at for key, at in self._looked.items() if at > ticket}
        self._listed = ticket
        if containers == self.containers and not news:
            return False
        self.containers = containers
        self.ends = {key: end for key, end in self.ends.items() if key in containers}
        return True

    def _note_end(self, container_id: str, end: Ended | None) -> bool:
        known = self.ends.get(container_id)
        if end is None or (known is not None and sortable_moment(known.at) > sortable_moment(end.at)):
            return False
        self.ends[container_id] = end
        return end != known
