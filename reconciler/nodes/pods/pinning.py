"""The pins of one host's containers, made and removed through its shell; pins.py has the script, and says why.

Called by pods/mounts.py and pods/container_runtime.py around what Docker does with a container.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from reconciler.model.names import Uid, disk_directory, memory_directory
from reconciler.nodes.errors import CommandFailed, NodeError, OutcomeUnknown
from reconciler.nodes.pods.failures import Failed
from reconciler.nodes.pods.pins import SCRIPT
from reconciler.nodes.ssh.shell import Shell

How: TypeAlias = Literal["find", "make", "file", "sub", "sub-found"]
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_SECONDS: Final = 10.0
_SECONDS_FOR_ALL: Final = 20.0
Step: TypeAlias = tuple[How | Literal["kind"], str]


class ScriptLine(Struct, frozen=True):
    """A line of the script."""

    what: str
    """`pinned`, `left` or `failed`."""
    name: str
    """`UID/CONTAINER/N`."""
    why: str = ""
    how: str = ""
    part: str = ""
    above: str = ""
    found: str = ""


class Pins:
    """The pins on one host: mounts of exactly what was checked, whatever links a pod makes later."""

    def __init__(self, cluster: str, shell: Shell) -> None:
        self._memory = memory_directory(cluster)
        self._disk = disk_directory(cluster)
        self._shell = shell
        self._lock = threading.Lock()
        self._known: frozenset[str] = frozenset()
        """`UID/CONTAINER` of those that may have pins or records."""
        self._changes = 0
        self._made: frozenset[str] = frozenset()
        """Of those, the ones whose first start is still to come: what was made a moment ago is there."""

    def look(self) -> None:
        """Make every recorded pin that is missing; one that cannot be made is reported when its container starts.

        Raises ConnectionLost alone: a volume that hangs is no reason to give the host up."""
        before = self._changes
        try:
            said = self._run("pinning what containers mount", ("all",), _SECONDS_FOR_ALL)
        except (CommandFailed, OutcomeUnknown):
            return
        with self._lock:
            if before == self._changes:
                self._known = frozenset(each.name.rpartition("/")[0] for each in said)

    def make(self, uid: Uid, container: str, wanted: Sequence[Sequence[Step]]) -> tuple[str, ...]:
        """Make the container's pins, each by its steps; the answer is what Docker is to be given for them."""
        if not all(map(_WORD.fullmatch, (uid, container))):
            raise NodeError(f"{uid!r} and {container!r} cannot name a directory of a container")
        self._know(uid, container)
        words = ("new", uid, container, *map(record_of, wanted))
        self._expect(self._run("pinning what a container mounts", words, _SECONDS), len(wanted))
        with self._lock:
            self._made |= {f"{uid}/{container}"}
        return tuple(f"{self._memory}/pins/{uid}/{container}/{number}" for number in range(len(wanted)))

    def ensure(self, sources: Sequence[str]) -> bool:
        """See that the pins that a container mounts are there, or make them; called before it is started.

        False: nothing is known of how to make them.
        """
        pinned = [place.split("/") for source in sources if (place := self._place(source))]
        if not pinned:
            return True
        uid, container = pinned[0][:2]
        with self._lock:
            is_new, self._made = f"{uid}/{container}" in self._made, self._made - {f"{uid}/{container}"}
        if is_new:
            return True
        words = ("some", uid, container, *(number for _, _, number in pinned))
        said = self._run("pinning what a container mounts", words, _SECONDS)
        if any(each.why == "record" for each in said):
            return False
        self._expect(said, len(pinned))
        return True

    def is_pin(self, source: str) -> bool:
        return bool(self._place(source))

    def remove(self, uid: Uid, container: str = "") -> None:
        """Remove the pins of the container, or of the whole pod, once they are gone. Costs nothing where there
        is none."""
        mine = {name for name in self._known if name == f"{uid}/{container}" or not container}
        if not any(name.startswith(f"{uid}/") for name in mine):
            return
        words = ("none", uid, *((container,) if container else ()))
        with self._lock:
            self._made -= mine
        self._run("unmounting what a container mounted", words, _SECONDS)
        with self._lock:
            self._changes += 1
            self._known -= {name for name in mine if name.startswith(f"{uid}/")}

    def users_of(self, base: str) -> frozenset[str]:
        """The containers, as `UID/CONTAINER`, that have a pin of a part of this directory."""
        script = 'cd "$1" 2>/dev/null || exit 0; grep -rlxF -e "find $2" . || [ $? = 1 ]'
        found = self._shell.script("looking for users of a volume", script, (f"{self._disk}/pins", base))
        return frozenset(line.removeprefix("./").rpartition("/")[0] for line in found.splitlines())

    def _know(self, uid: Uid, container: str) -> None:
        with self._lock:
            self._changes += 1
            self._known |= {f"{uid}/{container}"}

    def _place(self, source: str) -> str:
        """`UID/CONTAINER/N`; empty for what is no pin."""
        place = source.removeprefix(f"{self._memory}/pins/")
        return place if place != source and place.count("/") == 2 else ""

    def _run(self, doing: str, words: Sequence[str], seconds: float) -> list[ScriptLine]:
        said = self._shell.script(doing, SCRIPT, (self._memory, self._disk, *words), None, seconds)
        return list(read_said(said))

    def _expect(self, said: Sequence[ScriptLine], count: int) -> None:
        for each in said:
            if each.what == "failed":
                raise Failed("CreateContainerConfigError", in_words(each))
        if len(said) != count:
            raise CommandFailed("the pins of a container were not made: is util-linux on the host?")


# --- pure ---------------------------------------------------------------------------------------------------


def record_of(steps: Sequence[Step]) -> str:
    """Raises Failed for a path that no line can hold."""
    for _, part in steps:
        if "\n" in part or "\0" in part:
            raise Failed("CreateContainerConfigError", f"the path {part!r} has a line break in it")
    return "".join(f"{how} {part}\n" for how, part in steps) + "end\n"


def read_said(output: str) -> Iterator[ScriptLine]:
    for line in output.splitlines():
        words = line.rstrip("\t").split("\t")
        if len(words) > 1:
            words += [""] * (7 - len(words))
            yield ScriptLine(*words[:7])


def in_words(failed: ScriptLine) -> str:
    """Say why a source could not be pinned, and what to do."""
    of_part = failed.how.startswith("sub")
    what = f"subPath {failed.part!r}" if of_part else f"hostPath {failed.above}/{failed.part.strip('/')}"
    match failed.why.split(" ", 1):
        case ["outside"] if of_part:
            return f"{what} leads out of its volume {failed.above}: a link in it points to {failed.found}"
        case ["outside"]:
            return (
                f"{what} leads to {failed.found} on the host, which is not below {failed.above}: a link there "
                "points elsewhere, and the Cluster's podSecurity.hostPaths allows no more than what is below; "
                "mount what is meant by its own path, and allow that"
            )
        case ["nothing"] if of_part:
            return f"{what}: the volume {failed.above} has no such file or directory, and nothing is made there"
        case ["nothing"]:
            return f"{what}: nothing is there on the host; make it there"
        case ["kind", kind]:
            return f"{what} is to be a {kind}, and on the host it is a {failed.found}"
        case ["making"]:
            return f"{what} cannot be made on the host: {failed.found}"
        case ["moved"]:
            return f"{what} was changed while it was being mounted; it is tried again"
        case _:
            return f"{what} cannot be mounted on the host: {failed.found}"
