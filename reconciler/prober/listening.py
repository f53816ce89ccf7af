"""`python3 listening.py FILE SECONDS`: waits until HAProxy can listen on all that its file says, before it starts.

HAProxy ends over one address that it cannot have. A host that boots gets its addresses one after the other; what
is not there when the time is over, or belongs to another program, is left out of the file, so that all the rest is
served. Whoever looks at the file then sees by its first lines that it is not the one that was asked for.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import time

_BIND = re.compile(r"^\s+bind ([\d.]+):(\d+)(?= |$)")
_POLL_SECONDS = 0.05


def main() -> None:
    path, seconds = sys.argv[1], float(sys.argv[2])
    with open(path) as file:
        text = file.read()
    deadline = time.monotonic() + seconds
    left = {(found[1], int(found[2])) for line in text.splitlines() if (found := _BIND.match(line))}
    while (left := {bind for bind in left if not _is_free(*bind)}) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    if left:
        with open(f"{path}.boot", "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(without(text, left))
        os.replace(f"{path}.boot", path)


def without(text: str, left_out: set[tuple[str, int]]) -> str:
    names = sorted(f"{ip}:{port}" for ip, port in left_out)
    lines = []
    for line in text.splitlines(keepends=True):
        found = _BIND.match(line)
        if line.startswith("# fingerprint:"):
            lines.append("# fingerprint:\n")
        elif line.startswith("# structure:"):
            lines.append(f"{line.rstrip()} without {','.join(names)}\n")
        elif not (found and f"{found[1]}:{found[2]}" in names):
            lines.append(line)
    return "".join(lines)


def _is_free(ip: str, port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((ip, port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main()
