"""What the person who starts a run may allow, beyond what the revision says."""

from msgspec import Struct


class Options(Struct, frozen=True):
    confirmed_revision: str = ""
    """The revision whose large deletion someone has looked at and wants."""
    prune_orphans: bool = False
    """Remove containers with our label that no manifest and no intent explains."""
