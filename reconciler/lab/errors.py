"""The one error the lab raises: what failed, where, and how to fix it, ready to be shown to a person."""


class LabError(Exception):
    """Something about the lab failed; the message is complete and needs no traceback beside it."""
