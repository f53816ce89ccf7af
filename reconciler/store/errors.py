"""What the store can refuse. The control loop catches StoreFailed, and then performs no action at all."""

from reconciler.model.failures import PlainFailure


class StoreFailed(PlainFailure):
    """The store could not be read or written: nothing of the attempt was kept, and no host was touched."""

    def __init__(self, where: str, what: str, fix: str) -> None:
        super().__init__(f"{where}: {what} ({fix})")
        self.where = where
        self.what = what
        self.fix = fix


class StoreLocked(StoreFailed):
    """Another process writes to this store; `holder` names it."""

    def __init__(self, where: str, holder: str) -> None:
        super().__init__(
            where,
            f"another reconciler is using this state: {holder}",
            "stop that one first, or give this one a state directory of its own",
        )
        self.holder = holder


class StateLost(StoreFailed):
    """The files that this process writes to are not at their path any more: what it knows is nobody's state."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            where,
            f"{what} while this reconciler runs on it",
            "put it back, or stop this reconciler and start it again: what runs is adopted from the hosts",
        )
