"""A source in memory, for tests of what uses one; it passes the same suite as the real ones."""

from collections.abc import Callable, Mapping
from hashlib import sha256

from reconciler.model.desired import Rejected, Revision, SourceFile, SourceSnapshot, Unavailable
from reconciler.model.problems import Problem


class FakeSource:
    """What it holds is set with `put`, `remove`, `reject` and `fail`, each of which is told to the watcher."""

    def __init__(self, files: Mapping[str, str] | None = None) -> None:
        self._files: dict[str, SourceFile] = {}
        self._answer: SourceSnapshot | Rejected | Unavailable | None = None
        self._changed: Callable[[], None] | None = None
        for path, text in (files or {}).items():
            self.put(path, text)

    def put(self, path: str, text: str) -> None:
        content = text.encode()
        file = SourceFile(path, sha256(content).hexdigest(), content)
        if self._files.get(path) != file:
            self._files[path] = file
        self._tell(None)

    def remove(self, path: str) -> None:
        del self._files[path]
        self._tell(None)

    def reject(self, *problems: Problem) -> None:
        self._tell(Rejected(self._snapshot().revision, problems))

    def fail(self, why: str) -> None:
        self._tell(Unavailable(why))

    def mend(self) -> None:
        self._tell(None)

    def read(self) -> SourceSnapshot | Rejected | Unavailable:
        if self._answer is None:
            self._answer = self._snapshot()
        return self._answer

    def watch(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def close(self) -> None:
        self._changed = None

    def _snapshot(self) -> SourceSnapshot:
        files = tuple(self._files[path] for path in sorted(self._files))
        digest = sha256(repr([(file.path, file.digest) for file in files]).encode()).hexdigest()
        return SourceSnapshot(Revision(f"sha256:{digest}", "memory"), files)

    def _tell(self, answer: SourceSnapshot | Rejected | Unavailable | None) -> None:
        self._answer = answer
        if self._changed is not None:
            self._changed()
