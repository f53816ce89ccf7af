"""Failures that a person is told of as they are."""


class PlainFailure(Exception):
    """The message is for people, complete with how to go on: no traceback is needed beside it."""
