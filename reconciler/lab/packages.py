"""Install the Debian packages the lab needs, without starting a service on this machine."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.lab.commands import run
from reconciler.lab.errors import LabError

NEEDS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "hostname": "hostname",
}
"""Program: the Debian package that has it. (Since Debian 13 the client is apart, in docker-cli.)"""

_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing_packages() -> list[str]:
    """The Debian packages to install, in order; [] if everything is there."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    needs = dict(NEEDS)
    if _APPARMOR.exists() and _APPARMOR.read_text().startswith("Y"):
        needs["apparmor_parser"] = "apparmor"  # without it dockerd starts no container on such a kernel
    return sorted({package for program, package in needs.items() if not shutil.which(program, path=path)})


def install_command(packages: list[str]) -> list[str]:
    return ["apt-get", "install", "--yes", "--no-install-recommends", *packages]


def install(packages: list[str], progress: Callable[[str], None]) -> None:
    """apt-get install; LabError if something is still missing afterwards."""
    if not shutil.which("apt-get"):
        raise LabError(f"this is not Debian (no apt-get): install {', '.join(packages)} in your system's way")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    progress(f"installing {' '.join(packages)}")
    with _no_service_starts():
        run(["apt-get", "update"], timeout=300, env=environment)
        run(install_command(packages), timeout=900, env=environment)
        if not shutil.which("docker"):
            run(install_command(["docker-cli"]), timeout=300, env=environment)
    if still := missing_packages():
        raise LabError(f"after installing, programs of {', '.join(still)} are still missing; see `apt-get check`")


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's packages ask policy-rc.d before they start a service: for the moment, answer no."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
