"""One session per host: an SSH connection, Docker's API and a shell through it, and what is known of the host."""

from reconciler.nodes.peers import Neighbours
from reconciler.nodes.reset import Resetter, reset_node
from reconciler.nodes.session import SshNodeSession
from reconciler.nodes.ssh.login import Credentials

__all__ = ["Credentials", "Neighbours", "Resetter", "SshNodeSession", "reset_node"]
