"""From a snapshot to the desired state, or to every reason why not. Called by the control loop and `validate`.

Files that did not change since the last call are not read again, and their objects stay the same objects.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from reconciler.manifests.across.index import Index
from reconciler.manifests.across.ingress_backends import check_backends
from reconciler.manifests.across.ingress_reach import check_ingress_reach, concerns_reach
from reconciler.manifests.across.pod_security import check_security
from reconciler.manifests.across.references import check_references
from reconciler.manifests.across.selectors import check_selectors
from reconciler.manifests.across.unique_addresses import check_addresses, takes_address
from reconciler.manifests.assembler import Assembler
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding
from reconciler.manifests.reading.file_reader import Contents, Entry, FileReader, as_problem, place_of
from reconciler.manifests.schemas import load_schemas
from reconciler.model.desired import Desired, Rejected, Snapshot, SourceFile
from reconciler.model.problems import Place, Problem, Severity

_ROOT: Final = Place(".")


class _Change(Struct, frozen=True):
    """A path whose bytes differ from the last snapshot's; None: it is not there."""

    path: str
    before: SourceFile | None
    after: SourceFile | None


class Loader:
    """Keep one for as long as a source is followed: it remembers what it has read. Not for several threads."""

    def __init__(self) -> None:
        self._reader = FileReader(load_schemas())
        self._files: Sequence[SourceFile] = ()
        self._known: dict[str, SourceFile] = {}
        self._contents: dict[str, Contents] = {}
        self._flawed: dict[str, Contents] = {}
        self._empty: set[str] = set()
        self._index = Index()
        self._across: dict[Entry, tuple[Problem, ...]] = {}
        self._addresses: tuple[Problem, ...] = ()
        self._reach: tuple[Problem, ...] = ()
        self._assembler = Assembler()

    def load(self, snapshot: Snapshot) -> Desired | Rejected:
        """The same snapshot gives an equal result, whatever was loaded before. It costs what has changed; least
        where unchanged files are the very same objects as in the last snapshot."""
        with _uncollected():
            return self._load(snapshot)

    def _load(self, snapshot: Snapshot) -> Desired | Rejected:
        changes = self._changes(snapshot.files)
        self._files = snapshot.files
        self._check(*self._read(changes))
        problems = self._problems()
        if any(problem.severity is Severity.ERROR for problem in problems):
            return Rejected(snapshot.revision, problems)
        return self._assembler.desired(snapshot.revision, self._index, problems, frozenset(self._empty))

    def _changes(self, files: Sequence[SourceFile]) -> list[_Change]:
        """Against the last snapshot; the same objects at the start and the end of both are passed over."""
        before, after = self._files, files
        most = min(len(before), len(after))
        start = next((at for at in range(most) if before[at] is not after[at]), most)
        most -= start
        end = next((at for at in range(most) if before[~at] is not after[~at]), most)
        gone = {file.path: file for file in before[start : len(before) - end]}
        changes = []
        for file in after[start : len(after) - end]:
            known = gone.pop(file.path, None)
            if known is None or known.digest != file.digest:
                changes.append(_Change(file.path, known, file))
        return [*changes, *(_Change(path, file, None) for path, file in gone.items())]

    def _read(self, changes: Iterable[_Change]) -> tuple[list[Entry], list[Entry]]:
        """Returns the entries that are gone, and those that are new."""
        removed: list[Entry] = []
        added: list[Entry] = []
        for change in changes:
            self._read_one(change, removed, added)
        return removed, added

    def _read_one(self, change: _Change, removed: list[Entry], added: list[Entry]) -> None:
        if change.before is not None:
            removed += self._contents.pop(change.path).entries
            self._flawed.pop(change.path, None)
            self._empty.discard(change.path)
            del self._known[change.path]
        if change.after is not None:
            contents = self._reader.read(change.after)
            added += contents.entries
            self._known[change.path] = change.after
            self._contents[change.path] = contents
            if not contents.entries:
                self._empty.add(change.path)
            if contents.problems or contents.broken or contents.opaque:
                self._flawed[change.path] = contents

    def _check(self, removed: Sequence[Entry], added: Sequence[Entry]) -> None:
        """Check again what a change can have made right or wrong."""
        index = self._index
        broken = frozenset(ref for contents in self._flawed.values() for ref in contents.broken)
        whole = not any(contents.opaque for contents in self._flawed.values())
        touched = index.replace(removed, added, broken, whole)
        for entry in removed:
            self._across.pop(entry, None)
        for entry in touched:
            findings = (
                *_namesakes(entry, index),
                *check_references(entry, index),
                *check_selectors(entry, index),
                *check_security(entry, index),
                *check_backends(entry, index),
            )
            if findings:
                self._across[entry] = tuple(self._placed(entry, finding) for finding in findings)
            else:
                self._across.pop(entry, None)
        if any(takes_address(entry) for entry in (*removed, *added)):
            self._addresses = tuple(self._placed(entry, finding) for entry, finding in check_addresses(index))
        if any(concerns_reach(entry, index) for entry in (*removed, *added)):
            self._reach = tuple(self._placed(entry, finding) for entry, finding in check_ingress_reach(index))
        self._assembler.touch(removed)
        self._assembler.touch(touched)

    def _placed(self, entry: Entry, finding: Finding) -> Problem:
        return as_problem(place_of(self._known[entry.place.path], entry.document, finding), finding)

    def _problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the revision, sorted by place."""
        found = [problem for contents in self._flawed.values() for problem in contents.problems]
        found += (problem for problems in self._across.values() for problem in problems)
        found += (*self._addresses, *self._reach, *self._whole_revision())
        return tuple(sorted(found, key=lambda problem: (problem.place, problem.pointer, problem.code)))

    def _whole_revision(self) -> Iterable[Problem]:
        index = self._index
        if not self._flawed and not index.objects:
            fix = "check the path: manifests end in .yaml, .yml or .json and are not hidden"
            yield Problem(_ROOT, Code.EMPTY_REVISION, "there is no manifest here", fix)
            return
        if not index.by_kind["Cluster"] and index.lacks_more("Cluster"):
            fix = "add a manifest of kind Cluster (apiVersion reconciler.dev/v1)"
            yield Problem(_ROOT, Code.NO_CLUSTER, "there is no Cluster", fix)
        if not index.by_kind["Node"] and index.lacks_more("Node"):
            fix = "add a manifest of kind Node for each host"
            yield Problem(_ROOT, Code.NO_NODE, "there is no Node: nothing could run anywhere", fix)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Loading makes no reference cycles; to look for some, again and again, takes a quarter of a cold load."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _namesakes(entry: Entry, index: Index) -> Iterable[Finding]:
    first = index.objects[entry.ref]
    if first is not entry:
        message, fix = f"{entry.ref} is also at {first.place}", "keep one of them, or rename one"
        yield Finding(("metadata", "name"), Code.DUPLICATE_OBJECT, message, fix)
    elif entry.ref.kind == "Cluster" and len(index.by_kind["Cluster"]) > 1:
        others = ", ".join(str(other.place) for other in index.by_kind["Cluster"].values() if other is not entry)
        message, fix = f"there is another Cluster at {others}", "keep one: a revision is one cluster"
        yield Finding(("kind",), Code.SEVERAL_CLUSTERS, message, fix)
