"""The proxy's folder on its host: the files that HAProxy starts with, written whole and swapped in by a rename.

Used by proxy/haproxy.py alone, which says what is in them and when; docs/reference/host-contract.md lists them.
"""

from collections.abc import Collection, Mapping
from typing import Final

from reconciler.model.proxy import source_text
from reconciler.model.secrets import SecretText
from reconciler.nodes.docker.text_tar import packed
from reconciler.nodes.proxy.container import FILES, LAST, LIVE, MARKER, NEXT, SOURCES, state_directory
from reconciler.nodes.proxy.files import PUT, WRITE_SOURCES, LiveFile, read_digests, read_file, source_digest
from reconciler.nodes.ssh.shell import Shell

_WRITE_SECONDS, _WRITE_SECONDS_PER_MIB = 5.0, 2.0
"""For lists of networks."""
_SWAP_IN: Final = 'cd "$1" && { [ ! -e "$2" ] || ln -f "$2" "$3"; } && mv -f "$4" "$2"'
_SWAP_BACK: Final = 'cd "$1" && [ -e "$3" ] && mv -f "$3" "$2"'


class ProxyFolder:
    """The files of a host's HAProxy. Used by the setup thread alone; any method may raise NodeError."""

    def __init__(self, cluster: str, host: Shell) -> None:
        self._path = f"{state_directory(cluster)}/proxy"
        self._host = host
        self.last_read = LiveFile()
        """The live file as it was read last."""
        self.written: dict[str, str] = {}
        """The digest of each list's file, as last read or written."""

    def marker(self) -> str:
        """The structure that a worker has been seen with; empty where none is noted."""
        return self._host.run(["cat", f"{self._path}/{MARKER}"]).out.strip()

    def live(self) -> LiveFile:
        """Read only if it is another one than before: it is as long as the cluster has pods behind services."""
        path = f"{self._path}/{LIVE}"
        digest = self._host.run(["sha256sum", path]).out.partition(" ")[0]
        if digest != self.last_read.digest:
            self.last_read = read_file(digest, self._host.read(["cat", path]) if digest else "")
        return self.last_read

    def read_sources(self) -> None:
        """Look at the lists' files: `written` is what they are."""
        script = ["sh", "-c", 'cd "$1" && sha256sum *', "sh", f"{self._path}/{SOURCES}"]
        self.written = read_digests(self._host.run(script).out)

    def put(self, name: str, text: str) -> None:
        """A file, the whole of it."""
        content = text.encode()
        words = (f"{self._path}/{name}", str(len(content)))
        self._host.script("writing a file of the proxy", PUT, words, content)

    def put_files(self, files: Mapping[str, str | SecretText]) -> None:
        """Write the files that are not there yet: a name holds a digest of what is in its file."""
        if not files:
            return
        folder = f"{self._path}/{FILES}"
        self._host.check(["mkdir", "-p", "-m", "0700", folder])
        there = self._host.check(["ls", "-1", folder]).split()
        for name in sorted(files.keys() - set(there)):
            content = files[name]
            self.put(f"{FILES}/{name}", content.reveal() if isinstance(content, SecretText) else content)

    def put_sources(self, sources: Mapping[str, Collection[str]]) -> None:
        """The lists of networks that differ from what is written."""
        digests = digests_of(sources)
        changed = {name: source_text(sources[name]) for name, _ in digests.items() - self.written.items()}
        if changed:
            words, archive = (f"{self._path}/{SOURCES}",), packed(changed)
            seconds = _WRITE_SECONDS + _WRITE_SECONDS_PER_MIB * len(archive) / (1 << 20)
            self._host.script("writing the networks of clients", WRITE_SOURCES, words, archive, seconds)
        self.written = digests

    def keep_only(self, directory: str, kept: Collection[str]) -> None:
        """Remove the other files of `files` or `sources`."""
        folder = f"{self._path}/{directory}"
        others = sorted(set(self._host.run(["ls", "-1", folder]).out.split()) - set(kept))
        if others:
            self._host.check(["rm", "-f", *(f"{folder}/{name}" for name in others)])

    def swap_in(self) -> None:
        """Have the file that was checked be the live one; the one before is kept."""
        self._host.check(["sh", "-c", _SWAP_IN, "sh", self._path, LIVE, LAST, NEXT])

    def swap_back(self) -> bool:
        """Have the live file be the one before; False where there was none."""
        return self._host.run(["sh", "-c", _SWAP_BACK, "sh", self._path, LIVE, LAST]).status == 0


def digests_of(sources: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Digest the file of each list of networks."""
    return {name: source_digest(source_text(networks)) for name, networks in sources.items()}
