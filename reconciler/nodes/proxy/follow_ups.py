"""What is left to do after HAProxy's servers and networks have changed in the running process, and when. Pure.

The files follow when it is quiet. A server on its way out is deleted once nobody is connected to it.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.proxy import NodeProxy

NEVER: Final = float("inf")
_FILE_SECONDS, _LATEST_FILE_SECONDS = 1.0, 10.0
"""After the last change of servers or networks, and after the first one that the files lack, they are written."""
_FIRST_DELETION, _LAST_DELETION = 0.02, 0.64
"""After a server was taken out: when it is tried for the first and for the last time, each time twice as late, to
delete it without its connections. What lasts longer than all this is looked at with the next change."""


class FollowUps(Struct, frozen=True):
    """Moments are monotonic seconds."""

    unwritten: NodeProxy | None = None
    """What the files are to say; None: they say it."""
    write_at: float = NEVER
    write_by: float = NEVER
    delete_at: float = NEVER
    deletion_pause: float = _FIRST_DELETION

    @property
    def due(self) -> float:
        return min(self.write_at, self.delete_at)

    def with_file(self, wanted: NodeProxy, now: float) -> "FollowUps":
        """The files lack this since now; the newest takes the place of those before."""
        write_by = now + _LATEST_FILE_SECONDS if self.unwritten is None else self.write_by
        write_at = min(write_by, now + _FILE_SECONDS)
        return replace(self, unwritten=wanted, write_at=write_at, write_by=write_by)

    def without_file(self) -> "FollowUps":
        return replace(self, unwritten=None, write_at=NEVER)

    def with_deletions(self, now: float) -> "FollowUps":
        """Servers have just been taken out."""
        return replace(self, delete_at=now + _FIRST_DELETION, deletion_pause=_FIRST_DELETION)

    def with_later_deletions(self, now: float) -> "FollowUps":
        """They are tried now, and the next time twice as late; after the last try, no more."""
        pause = self.deletion_pause * 2
        return replace(self, delete_at=now + pause if pause <= _LAST_DELETION else NEVER, deletion_pause=pause)

    def without_deletions(self) -> "FollowUps":
        return replace(self, delete_at=NEVER)
