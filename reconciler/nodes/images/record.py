"""The list of the images that reconciler pulled on a host, kept there, in the order in which they were pulled.

No other image is ever removed: what somebody loaded or built on a host may exist nowhere else.
"""

import threading
import time
from typing import Final

from reconciler.model.names import disk_directory
from reconciler.nodes.ssh.shell import Shell

_SECONDS: Final = 10.0
_ADD: Final = """\
set -eu
mkdir -p "$1"
cd "$1"
{ grep -vxF -e "$2" images 2>/dev/null || true; printf '%s\\n' "$2"; } >images.new
mv -T images.new images
"""
_FORGET: Final = """\
set -eu
cd "$1"
grep -vxF -e "$2" images >images.new || true
mv -T images.new images
"""


class PulledImages:
    """The images that we have pulled to a host, as its record there lists them."""

    def __init__(self, cluster: str, shell: Shell) -> None:
        self._directory = disk_directory(cluster)
        self._shell = shell
        self._lock = threading.Lock()
        self._at: dict[str, float] = {}

    def add(self, image: str) -> None:
        """Raises NodeError."""
        with self._lock:
            self._at[image] = time.monotonic()
            self._shell.script("noting a pulled image", _ADD, (self._directory, image), None, _SECONDS)

    def forget(self, image: str) -> None:
        with self._lock:
            self._shell.script("forgetting an image", _FORGET, (self._directory, image), None, _SECONDS)

    def oldest_first(self) -> list[str]:
        with self._lock:
            return self._shell.run(["cat", f"{self._directory}/images"], timeout=_SECONDS).out.splitlines()

    def seconds_since(self, image: str) -> float:
        """Since this connection pulled it; infinite where it did not."""
        return time.monotonic() - self._at.get(image, float("-inf"))
