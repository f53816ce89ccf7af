"""A host's proxy, asked for its statistics, once or again and again, over an SSH connection of its own.

A session's connection has no room for it: all the ten sessions that sshd allows are taken (connection.py). And
what is read here may be much, and late, and must hold up nothing that the session does.
"""

import threading

from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.traffic import Sections
from reconciler.nodes.errors import ConnectionLost, NodeError
from reconciler.nodes.proxy.stats import proxy_shell, proxy_traffic
from reconciler.nodes.ssh.connection import SshConnection
from reconciler.nodes.ssh.login import Credentials
from reconciler.nodes.ssh.shell import Shell


class ProxyReader:
    """Connects when it is first asked, and again after any failure. `read` is called by one thread at a time."""

    def __init__(self, node: Node, cluster: Cluster, credentials: Credentials) -> None:
        self._node = node
        self._cluster = cluster
        self._credentials = credentials
        self._lock = threading.Lock()
        self._ssh: SshConnection | None = None
        self._shell: Shell | None = None
        self._closed = False

    def read(self, names: str = "") -> Sections:
        """Read the statistics of the sections whose names begin with this. Takes seconds; raises NodeError."""
        try:
            return proxy_traffic(self._connected(), names)
        except NodeError:
            self.rest()
            raise

    def rest(self) -> None:
        """End the connection, until the next `read`; one that is under way fails."""
        with self._lock:
            ssh, self._ssh, self._shell = self._ssh, None, None
        if ssh is not None:
            ssh.close()

    def close(self) -> None:
        self._closed = True
        self.rest()

    def _connected(self) -> Shell:
        if (shell := self._shell) is not None:
            return shell
        ssh = SshConnection.connect(self._node, self._credentials, self._cluster.spec.ssh.connect_timeout_seconds)
        shell = proxy_shell(ssh, self._cluster.metadata.name, self._node.metadata.name)
        with self._lock:
            if not self._closed:
                self._ssh, self._shell = ssh, shell
                return shell
        ssh.close()
        raise ConnectionLost("reconciler is ending")
