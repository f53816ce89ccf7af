"""From a snapshot to the desired state, or to every reason why not. Called by the control loop and `validate`.

Files that did not change since the last call are not read again, and their objects stay the same objects.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import compress, count
from operator import is_not
from typing import Any, Final

from msgspec import Struct

from reconciler.manifests.across.index import Index
from reconciler.manifests.across.pod_security import check_pod_security
from reconciler.manifests.across.references import (
    check_name,
    check_namespace,
    check_node_choice,
    check_references,
)
from reconciler.manifests.admission import AdmittedKinds, RevisionCheck
from reconciler.manifests.assembler import Assembler
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding
from reconciler.manifests.manifest import Manifest
from reconciler.manifests.reading.file_reader import Contents, FileReader, as_problem
from reconciler.manifests.schemas import load_schemas
from reconciler.model.desired import Desired, Rejected, SourceFile, SourceSnapshot
from reconciler.model.problems import Place, Problem, Severity

_ROOT: Final = Place(".")
_PLUGINS: Final = (check_name, check_namespace, check_references)
"""Checks of every object among the others, whatever its kind."""
_POD_PLUGINS: Final = (check_node_choice, check_pod_security)
"""Checks of every object with pods."""


class _Change(Struct, frozen=True):
    """A path whose bytes differ from the last snapshot's; None: it is not there."""

    path: str
    before: SourceFile | None
    after: SourceFile | None


class Loader:
    """Reads revisions of one source, given the kinds that they may hold.

    Keep one for as long as the source is followed: it remembers what it has read. Not for several threads.
    """

    def __init__(self, kinds: AdmittedKinds) -> None:
        self._kinds = kinds
        self._reader = FileReader(kinds, load_schemas(tuple(kinds.by_kind)))
        self._files: Sequence[SourceFile] = ()
        self._known: dict[str, SourceFile] = {}
        self._contents: dict[str, Contents] = {}
        self._flawed: dict[str, Contents] = {}
        self._empty: set[str] = set()
        self._index = Index(kinds.makers)
        self._among: dict[Manifest[Any], tuple[Problem, ...]] = {}
        self._revision_problems: dict[RevisionCheck, tuple[Problem, ...]] = {
            check: () for kind in kinds.by_kind.values() for check in kind.admission.revision_checks
        }
        self._assembler = Assembler(kinds)

    def load(self, snapshot: SourceSnapshot) -> Desired | Rejected:
        """The desired state of a snapshot, or every reason why it is rejected.

        The same snapshot gives an equal result, whatever was loaded before. It costs what has changed; least where
        unchanged files are the very same objects as in the last snapshot.
        """
        with _uncollected():
            return self._load(snapshot)

    def _load(self, snapshot: SourceSnapshot) -> Desired | Rejected:
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
        start = _first_difference(before, after, most)
        end = _first_difference(reversed(before), reversed(after), most - start)
        gone = {file.path: file for file in before[start : len(before) - end]}
        changes = []
        for file in after[start : len(after) - end]:
            known = gone.pop(file.path, None)
            if known is None or known.digest != file.digest:
                changes.append(_Change(file.path, known, file))
        return [*changes, *(_Change(path, file, None) for path, file in gone.items())]

    def _read(self, changes: Iterable[_Change]) -> tuple[list[Manifest[Any]], list[Manifest[Any]]]:
        """Returns the manifests that are gone, and those that are new."""
        removed: list[Manifest[Any]] = []
        added: list[Manifest[Any]] = []
        for change in changes:
            self._read_one(change, removed, added)
        return removed, added

    def _read_one(self, change: _Change, removed: list[Manifest[Any]], added: list[Manifest[Any]]) -> None:
        if change.before is not None:
            removed += self._contents.pop(change.path).manifests
            self._flawed.pop(change.path, None)
            self._empty.discard(change.path)
            del self._known[change.path]
        if change.after is not None:
            contents = self._reader.read(change.after)
            added += contents.manifests
            self._known[change.path] = change.after
            self._contents[change.path] = contents
            if not contents.manifests:
                self._empty.add(change.path)
            if contents.problems or contents.broken or contents.opaque:
                self._flawed[change.path] = contents

    def _check(self, removed: Sequence[Manifest[Any]], added: Sequence[Manifest[Any]]) -> None:
        """Checks again what a change can have made right or wrong."""
        index = self._index
        broken = frozenset(ref for contents in self._flawed.values() for ref in contents.broken)
        whole = not any(contents.opaque for contents in self._flawed.values())
        touched = index.replace(removed, added, broken, whole)
        for manifest in removed:
            self._among.pop(manifest, None)
        for manifest in touched:
            if found := tuple(self._placed(manifest, finding) for finding in self._check_among(manifest)):
                self._among[manifest] = found
            else:
                self._among.pop(manifest, None)
        changed = (*removed, *added)
        for each in self._revision_problems:
            if any(each.concerns(manifest, index) for manifest in changed):
                located = each.check(index)
                self._revision_problems[each] = tuple(self._placed(*one) for one in located)
        self._assembler.touch(removed)
        self._assembler.touch(touched)

    def _check_among(self, manifest: Manifest[Any]) -> Iterator[Finding]:
        """What is wrong with one object among the others."""
        for check in _PLUGINS:
            yield from check(manifest, self._index)
        if manifest.relations.template is not None:
            for check in _POD_PLUGINS:
                yield from check(manifest, self._index)
        yield from self._kinds.by_kind[manifest.ref.kind].admission.validate_among(manifest, self._index)

    def _placed(self, manifest: Manifest[Any], finding: Finding) -> Problem:
        file = self._known[manifest.place.path]
        return as_problem(self._reader.place_of(file, manifest.document, finding), finding)

    def _problems(self) -> tuple[Problem, ...]:
        """Everything that is wrong with the revision, sorted by place."""
        found = [problem for contents in self._flawed.values() for problem in contents.problems]
        for problems in (*self._among.values(), *self._revision_problems.values()):
            found += problems
        found += self._missing()
        return tuple(sorted(found, key=lambda problem: (problem.place, problem.pointer, problem.code)))

    def _missing(self) -> Iterator[Problem]:
        """What every revision must have, and this one has not."""
        index = self._index
        if not self._flawed and not index.objects:
            fix = "check the path: manifests end in .yaml, .yml or .json and are not hidden"
            yield Problem(_ROOT, Code.EMPTY_REVISION, "there is no manifest here", fix)
            return
        for name, kind in self._kinds.by_kind.items():
            required = kind.admission.required
            if required is not None and not index.has(name) and index.lacks_more(name):
                yield Problem(_ROOT, required.code, required.message, required.fix)


def _first_difference(before: Iterable[SourceFile], after: Iterable[SourceFile], most: int) -> int:
    """How many of the first files are the same objects, but for no more than `most` of them."""
    return min(next(compress(count(), map(is_not, before, after)), most), most)


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
