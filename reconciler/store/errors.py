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
