"""What is on a lab host's disk before it boots: its own /etc, /root and /var/lib.

The host sees the machine's files, with a private layer over /etc and private /root and /var/lib; so sshd and
dockerd find their settings in the usual places, and what a session leaves there stays with that host.
"""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab.commands import run

_SSHD_CONFIG = """\
Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
X11Forwarding no
AllowTcpForwarding yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class HostDisk:
    """The directory that holds one host's private files."""

    path: Path

    @property
    def etc(self) -> Path:
        return self.path / "etc"

    @property
    def host_key(self) -> Path:
        return self.etc / "ssh" / "ssh_host_ed25519_key"

    @property
    def log(self) -> Path:
        """Where the host's init, dockerd and sshd write: outside what the host itself sees."""
        return self.path / "log"

    def prepare(self, name: str, daemon: Mapping[str, str], client_public_key: str, legacy_iptables: bool) -> None:
        """Write what is missing; keys and the machine id survive, settings are always rewritten."""
        for directory in ("etc/ssh", "etc/docker", "etc/alternatives", "root/.ssh", "lib", "overlay", "log"):
            (self.path / directory).mkdir(parents=True, exist_ok=True)
        for private in (self.path / "root", self.path / "root/.ssh"):
            private.chmod(0o700)
        for hidden in ("etc/ssh", "etc/docker"):
            # The machine's own files there must not show through: its engine id (key.json) is one of them.
            os.setxattr(self.path / hidden, "trusted.overlay.opaque", b"y")
        make_key(self.host_key, name)
        _write(self.etc / "ssh/sshd_config", _SSHD_CONFIG)
        _write(self.etc / "hostname", f"{name}\n")
        _write(self.etc / "hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n")
        _write(self.etc / "resolv.conf", "# The lab has no way out, so no name server either.\n")
        _write(self.etc / "docker/daemon.json", daemon_json(daemon))
        _write(self.path / "root/.ssh/authorized_keys", client_public_key + "\n", mode=0o600)
        if not (self.etc / "machine-id").exists():
            _write(self.etc / "machine-id", secrets.token_hex(16) + "\n")
        if legacy_iptables:
            self._choose_legacy_iptables()

    def erase(self) -> None:
        if self.path.exists():
            shutil.rmtree(self.path)

    def _choose_legacy_iptables(self) -> None:
        for program in ("iptables", "ip6tables"):
            for suffix in ("", "-save", "-restore"):
                link = self.etc / "alternatives" / f"{program}{suffix}"
                link.unlink(missing_ok=True)
                link.symlink_to(f"/usr/sbin/{program}-legacy{suffix}")


def daemon_json(own: Mapping[str, str]) -> str:
    """dockerd's settings: bounded logs, no systemd expected, and what differs from host to host."""
    settings = {
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "2"},
        **own,
    }
    return json.dumps(settings, indent=2) + "\n"


def make_key(path: Path, comment: str) -> None:
    """An ed25519 key pair, private part 0600; an existing pair is kept."""
    if not (path.exists() and path.with_name(path.name + ".pub").exists()):
        path.unlink(missing_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    path.chmod(0o600)


def public_key(path: Path) -> str:
    """`ssh-ed25519 AAAA…`, without the comment."""
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)
