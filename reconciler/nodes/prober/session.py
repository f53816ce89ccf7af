"""The node's prober: one system container that runs reconciler.prober while any pod there has probes.

Called by node_setup.py, which keeps it, and by connection.py, which follows what it says. Its program and its file
of probes are on the host; a container that has them needs nobody to go on. It listens nowhere: what it has to say
goes to its standard output, and is read from Docker's log of it.
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from reconciler.model.names import disk_directory
from reconciler.model.observed import Probed
from reconciler.model.setups import NodeProber
from reconciler.nodes.docker.engine import Engine
from reconciler.nodes.docker.streams import STDOUT, Demultiplexer
from reconciler.nodes.docker.system_container import SystemContainer
from reconciler.nodes.errors import EngineError, NodeError
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.prober.container import (
    PROBES,
    PROGRAM,
    WRITE_PROGRAM,
    container_request,
    probes_file,
    program,
)
from reconciler.nodes.ssh.shell import Shell

_TELLING_SECONDS, _READ_BACK_SECONDS, _ASK_AGAIN_SECONDS = 5.0, 3.0, 0.25
"""How long it may take to tell everything; a signal that came before it listened is sent again."""


class ProberSession:
    """The prober of one host. `ensure` is called by the setup thread alone, `follow` runs in a thread of its
    own."""

    def __init__(
        self,
        cluster: str,
        container: SystemContainer,
        log_engine: Engine,
        host: Shell,
        cache: HostCache,
        ended: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._container = container
        self._directory = f"{disk_directory(cluster)}/prober"
        self._log_engine = log_engine
        self._host = host
        self._cache = cache
        self._ended = ended
        self._written = ""
        """Digest of the file that this connection has written."""
        self._cond = threading.Condition()
        self._followed = ""
        """Id of the one to follow; empty: none."""
        self._reported_all = False
        """It is followed, and has reported everything since."""
        self._listening = False
        """It is followed: what it reports from now on is read."""
        self._digest = ""
        """The digest of the file in force, as it was reported last."""
        self._results = Results()
        self._broken = False
        self._gone = False
        """There is none, as far as we know."""
        self._stopped = False

    def read_back(self) -> None:
        """Read what it says now, before the host counts as reachable: no pod is unready because we were away.

        To be called when the connection is made, with `follow` running. Raises NodeError."""
        found = self._container.find()
        if found is not None and found["State"]["Running"] and self._container.is_ours(found):
            self._follow_from_now(found["Id"])
            self._asked_for_everything(lambda: True, _READ_BACK_SECONDS)

    # --- keeping it, in the setup thread --------------------------------------------------------------------

    def ensure(self, wanted: NodeProber, full: bool) -> None:
        """`full`: look at the host too, not only at what has changed. Raises NodeError."""
        if not wanted.containers:
            if full or not self._gone:
                self._remove()
            self._written, self._gone = "", True
            return
        self._gone = False
        digest, text = probes_file(self._cluster, wanted.containers)
        if full or not self._followed:
            self._follow_from_now(self._running(container_request(self._cluster, wanted.image), digest, text))
        if digest != self._written:
            self._write(PROBES, text)
            self._written = digest
            with self._cond:
                self._reported_all = False
        # The proxy waits for its turn meanwhile: one that does not answer is not waited for over and over.
        seconds = _TELLING_SECONDS if full or not self._broken else 0.0
        self._broken = not self._asked_for_everything(lambda: self._digest == digest, seconds)
        if self._broken:
            raise NodeError(f"the node's prober does not answer: see `docker logs {self._container.name}` there")

    def _asked_for_everything(self, enough: Callable[[], bool], seconds: float) -> bool:
        """Wait until it has reported everything since it is followed; sends the signal that makes it do so."""
        deadline = time.monotonic() + seconds
        while True:
            with self._cond:
                if self._reported_all and enough():
                    return True
                followed, listening = self._followed, self._listening
            if not followed or time.monotonic() >= deadline:
                return False
            if listening:
                self._reload()
            with self._cond:
                self._cond.wait(_ASK_AGAIN_SECONDS)

    def _running(self, request: Mapping[str, Any], digest: str, text: str) -> str:
        """The id of the container; one that has to be made or started begins with this file."""
        found = self._container.ours()
        if found is not None and not self._container.is_as(found, request):
            self._remove()
            found = None
        if found is None or not found["State"]["Running"] or not self._has_files(text):
            self._write_program()
            self._write(PROBES, text)
            self._written = digest
        if found is None:
            return self._container.make(request)
        self._container.resume(found)
        return str(found["Id"])

    def _has_files(self, text: str) -> bool:
        """The program and this very file are on the host."""
        _, program_digest = program()
        script = '[ -d "$1/$2-$3" ] && sha256sum "$1/$4"'
        words = (self._directory, PROGRAM, program_digest, PROBES)
        reply = self._host.run(["sh", "-c", script, "sh", *words])
        return reply.status == 0 and reply.out.startswith(hashlib.sha256(text.encode()).hexdigest())

    def _remove(self) -> None:
        self._follow_from_now("")
        found = self._container.find()
        if found is not None and self._container.is_ours(found):
            self._container.remove(found)

    def _write_program(self) -> None:
        """The directory's name is the hash of what is in it, so a program that runs is never changed under it."""
        archive, digest = program()
        self._host.check(
            ["sh", "-c", WRITE_PROGRAM, "sh", self._directory, PROGRAM, digest, "0755"], stdin=archive
        )

    def _write(self, name: str, text: str) -> None:
        # No one else reads it: a probe's header may be a credential.
        script = 'umask 077; cat >"$1.new" && mv -f "$1.new" "$1"'
        self._host.check(["sh", "-c", script, "sh", f"{self._directory}/{name}"], stdin=text)

    def _reload(self) -> None:
        """It reads its file again and tells everything."""
        try:
            self._container.signal("HUP")
        except EngineError as error:
            if error.status not in (404, 409):
                raise
            self._follow_from_now("")  # It does not run: the next look starts it.

    # --- following it, in a thread of its own ---------------------------------------------------------------

    def _follow_from_now(self, container_id: str) -> None:
        with self._cond:
            if container_id != self._followed:
                self._followed, self._reported_all, self._listening = container_id, False, False
                self._cond.notify_all()

    def stop(self) -> None:
        with self._cond:
            self._stopped = True
            self._cond.notify_all()

    def follow(self) -> None:
        """Until `stop`, or until the connection ends."""
        while (container_id := self._next()) is not None:
            # What hinders Docker hinders the session too: it says so, and makes a new connection.
            with contextlib.suppress(NodeError):
                self._read(container_id)
            with self._cond:
                if self._followed == container_id:
                    self._followed = ""  # It has ended, for all we know; the next look follows it again.
                self._reported_all = self._listening = False
                self._cond.wait_for(lambda: self._stopped, _ASK_AGAIN_SECONDS)
            self._ended()

    def _next(self) -> str | None:
        with self._cond:
            self._cond.wait_for(lambda: bool(self._followed) or self._stopped)
            return None if self._stopped else self._followed

    def _read(self, container_id: str) -> None:
        """Record what it reports, to the container's end; nothing before it has reported everything."""
        unrecorded = False
        """Something was read while a whole report was waited for, which then said nothing else."""
        for lines in self._lines(container_id):
            unrecorded = self._results.take(lines) or unrecorded
            with self._cond:
                self._listening = True
                if self._results.digest:
                    self._reported_all, self._digest = True, self._results.digest
                    self._results.digest = ""
                reported_all = self._reported_all
                self._cond.notify_all()
            if unrecorded and reported_all:
                self._cache.record_probes(self._results.now)
                unrecorded = False

    def _lines(self, container_id: str) -> Iterator[list[bytes]]:
        """An empty list first, as soon as Docker listens to it."""
        rest = b""
        frames = Demultiplexer()
        for chunk in self._log_engine.follow_log(container_id):
            rest += b"".join(piece.data for piece in frames.feed(chunk) if piece.stream == STDOUT)
            *lines, rest = rest.split(b"\n")
            yield lines


class Results:
    """The results of probes as the prober has reported them, put together over several runs of it."""

    def __init__(self) -> None:
        self.now: dict[str, tuple[str, Probed]] = {}
        """By container id: the run, and what is said of it."""
        self.digest = ""
        """Of the file in force, from the last whole telling."""
        self._whole: dict[str, tuple[str, Probed]] | None = None

    def take(self, lines: Iterable[bytes]) -> bool:
        """True: `now` has changed. Lines that cannot be read are passed over."""
        before = dict(self.now)
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError, KeyError, TypeError, ValueError):
                self._take(msgspec.json.decode(line))
        return self.now != before

    def _take(self, said: Mapping[str, Any]) -> None:
        if "begin" in said:
            self._whole = {}
        elif "end" in said:
            if self._whole is not None:
                self.now, self.digest = self._whole, str(said["end"])
            self._whole = None
        elif (result := self._read(said)) is not None:
            target = self.now if self._whole is None else self._whole
            target[str(said["id"])] = result

    def _read(self, said: Mapping[str, Any]) -> tuple[str, Probed] | None:
        run = str(said["run"])
        if said["known"]:
            probed = Probed(bool(said["started"]), bool(said["ready"]), str(said["message"]), int(said["killed"]))
            return run, probed
        # A prober that has just begun knows nothing yet of what ran before: the last word still holds.
        before = self.now.get(str(said["id"]))
        return before if before is not None and before[0] == run else None
