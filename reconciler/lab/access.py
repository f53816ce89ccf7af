"""How a person's ssh reaches a host of the lab: with the lab's key, and only the pinned host key trusted."""

import shlex
from collections.abc import Sequence

from reconciler.lab.lab import Lab


def ssh_command(lab: Lab, node: str, command: Sequence[str]) -> list[str]:
    """The ssh command line for a session, or for one command on the host."""
    host = lab.node(node)
    options = [
        "-F", "/dev/null",
        "-i", str(lab.client_key),
        "-p", str(host.ssh_port),
        "-o", "IdentitiesOnly=yes",
        "-o", "BatchMode=yes",
        "-o", "ConnectTimeout=10",
        "-o", "StrictHostKeyChecking=yes",
        "-o", f"UserKnownHostsFile={lab.known_hosts}",
    ]  # fmt: skip
    remote = ["--", shlex.join(command)] if command else []
    return ["ssh", *options, f"root@{host.address}", *remote]
