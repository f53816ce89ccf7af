"""A real registry (Debian's docker-registry) on a lab host's own loopback, which Docker trusts without TLS.

One store, two doors: anybody may push and pull at `open`, and `private` asks for a login.
"""

import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import bcrypt

from reconciler.lab import Host

USER = "puller"
PASSWORD = "canary-registry-5d1"
_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {store}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}
"""


class Registry:
    """Its processes end with the test's own, also where that is killed; its files are the test's."""

    open = "127.0.0.1:5000"
    private = "127.0.0.1:5001"

    def __init__(self, host: Host, directory: Path) -> None:
        self.host = host
        self._directory = directory
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: BaseException | type[BaseException] | TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        self._directory.mkdir(exist_ok=True)
        users = self._directory / "htpasswd"
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()
        users.write_text(f"{USER}:{hashed}\n")
        self._serve(self.open, "")
        self._serve(self.private, f"auth: {{htpasswd: {{realm: lab, path: {users}}}}}")
        for address in (self.open, self.private):
            self._wait(address)

    def stop(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        self._processes.clear()

    def push(self, image: str, name: str) -> str:
        """Push a host's image as `name` (`app:1`), and drop the host's copy of that name; the digest."""
        there = f"{self.open}/{name}"
        self.host.docker("tag", image, there)
        try:
            pushed = self.host.docker("push", there).stdout
        finally:
            self.host.docker("rmi", there)
        digest = pushed.rpartition("digest: ")[2].split()[0]
        assert digest.startswith("sha256:"), pushed
        return digest

    def _serve(self, address: str, auth: str) -> None:
        port = address.rpartition(":")[2]
        config = self._directory / f"{port}.yml"
        config.write_text(_CONFIG.format(store=self._directory / "store", port=port, auth=auth))
        namespace = self.host.network.namespace_path(self.host.name)
        serve = ["docker-registry", "serve", str(config)]
        inside = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={namespace}", *serve]
        with (self._directory / f"{port}.log").open("ab") as log:
            process = subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._processes.append(process)

    def _wait(self, address: str) -> None:
        """Ask from inside the host: its loopback is not ours."""
        deadline = time.monotonic() + 10
        ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{address}/v2/"]
        while self.host.run(ask, check=False).stdout not in ("200", "401"):
            assert time.monotonic() < deadline, f"no registry at {address}"
            time.sleep(0.05)
