"""Whether what containers mount is what has its name on the host.

A directory that was taken away and made again is another one, and a container goes on with the one that is gone.
Called by connection.py for pods, with every full look, and by docker/system_container.py.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from reconciler.nodes.ssh.shell import Shell

_SECONDS: Final = 10.0
# Nothing is started for what is right. A path that leads over a link in the container's own files is passed over:
# seen from outside it leads elsewhere. So is one where the container itself has mounted something over it, and a
# process that is not the container's any more.
_SCRIPT: Final = r"""
while read -r id pid target source; do
    found=
    [ ! -r "/proc/$pid/cgroup" ] || while read -r group; do
        case $group in *"$id"*) found=1 ;; esac
    done <"/proc/$pid/cgroup"
    [ -n "$found" ] || continue
    at=/proc/$pid/root rest=${target#/}
    while [ -n "$rest" ]; do
        at=$at/${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        [ ! -L "$at" ] || continue 2
    done
    if [ ! -e "$at" ] || [ "$at" -ef "$source" ]; then continue; fi
    [ "$(cut -d' ' -f5 "/proc/$pid/mountinfo" | grep -cxF -e "$target")" != 1 ] || echo "$id $target"
done 2>/dev/null
:
"""


class Attachment(Struct, frozen=True):
    """A directory of the host in a container that runs."""

    id: str
    """The container's."""
    pid: int
    """The id of its first process, as the host sees it."""
    target: str
    source: str


def attachments_of(inspected: Mapping[str, Any]) -> tuple[Attachment, ...]:
    """Read what is attached to a container from the answer to `GET /containers/{id}/json`. Pure."""
    pid = int(inspected["State"].get("Pid") or 0)
    mounts = inspected.get("Mounts") or () if pid else ()
    return tuple(
        Attachment(str(inspected["Id"]), pid, str(mount["Destination"]), str(mount["Source"]))
        for mount in mounts
        if mount.get("Type") == "bind"
    )


def detached(shell: Shell, attachments: Iterable[Attachment]) -> Mapping[str, str]:
    """Find, for each container, a path where something else is mounted than has that name on the host now."""
    lines = [
        f"{one.id} {one.pid} {one.target} {one.source}\n"
        for one in attachments
        # Names with blanks in them are nobody's of ours; a pod's own target may have some.
        if len(f"{one.target} {one.source}".split()) == 2 and "\\" not in one.target
    ]
    if not lines:
        return {}
    said = shell.script("comparing what is mounted", _SCRIPT, (), "".join(lines).encode(), _SECONDS)
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in said.splitlines()}
