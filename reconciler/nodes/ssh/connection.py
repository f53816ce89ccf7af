"""The one SSH connection to a host. Channels are opened through it; closing it frees everyone who waits on one.

A call that could wait for a dead host is guarded by a timer that closes the connection: paramiko wakes every
waiter then, so each wait has an end even where paramiko itself takes no time-out.
"""

import contextlib
import shlex
import socket
from collections.abc import Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address

import paramiko

from reconciler.model.api.core.node import Node
from reconciler.nodes.docker.plain_text import plain
from reconciler.nodes.errors import CommandFailed, ConnectionLost, HostRefused, Unusable
from reconciler.nodes.ssh.keepalive import Keepalive
from reconciler.nodes.ssh.login import Credentials, closing_after, end, log_in

_OPEN_SECONDS = 5.0
SESSIONS = 10
"""How many of sshd's sessions are in use on one connection: see connection.py."""
_WORD, _MOST_WORDS = "reconciler", 300
_PULSE_SECONDS = 0.5
_CONNECT_FAILED = 2
"""RFC 4254, 5.1: the host tried to connect, and did not succeed; its text says why."""


_NOTHING_SAID = ("", "Unable to open channel", "SSH session not active")
"""What paramiko says of a connection that is gone, whatever ended it."""


class SshConnection:
    """Made by `connect`; once it is lost it stays lost."""

    def __init__(self, transport: paramiko.Transport, node: Node) -> None:
        self._transport = transport
        self._address = str(node.ssh)
        self._keepalive = Keepalive(transport)
        self._prefix = () if node.ssh.user == "root" else ("sudo", "-n")

    @classmethod
    def connect(cls, node: Node, credentials: Credentials, timeout: float) -> "SshConnection":
        """Connect and log in within about `timeout` seconds. Raises as `log_in` does."""
        return cls(log_in(node, credentials, timeout), node)

    @property
    def alive(self) -> bool:
        return self._transport.is_active()

    @property
    def peer(self) -> str:
        """The IPv4 address that this connection goes to; empty where it is none, or one of this machine alone."""
        with contextlib.suppress(OSError, AddressValueError):
            address = IPv4Address(self._transport.getpeername()[0])
            return "" if address.is_loopback else str(address)
        return ""

    @property
    def is_local(self) -> bool:
        """The host is the machine that we run on: what cuts us off cuts it off, too."""
        connection = self._transport.sock
        with contextlib.suppress(OSError):
            return (
                isinstance(connection, socket.socket)
                and connection.getsockname()[0] == connection.getpeername()[0]
            )
        return False

    def open(self, argv: Sequence[str], timeout: float = _OPEN_SECONDS) -> paramiko.Channel:
        """Start a program on the host, as root; its standard streams are the channel's. The caller closes it.

        A host that does not even start it within `timeout` is taken for dead: the connection is closed."""
        command = shlex.join((*self._prefix, *argv))
        with self._guarded(f"starting `{argv[0]}`", timeout):
            try:
                channel = self._transport.open_session(timeout=timeout)
            except paramiko.ChannelException as error:
                raise Unusable(
                    f"sshd of {self._address} opens no more sessions on one connection, and {SESSIONS} are "
                    f"needed; set `MaxSessions {SESSIONS}` or more in its sshd_config"
                ) from error
            channel.exec_command(command)
        return channel

    def explained(self, otherwise: str) -> str:
        """Explain why nothing works on a host that has let us in, by what it says of a command that cannot fail.

        `otherwise`: what is known already, where the command runs."""
        channel = self.open(("printf", _WORD))
        try:
            channel.settimeout(_OPEN_SECONDS)
            out = channel.makefile("rb").read(_MOST_WORDS)
            said = plain(out + channel.makefile_stderr("rb").read(_MOST_WORDS), _MOST_WORDS, 3).strip()
        except (paramiko.SSHException, EOFError, OSError):
            return otherwise
        finally:
            channel.close()
        if out == _WORD.encode():
            return otherwise
        words = f" ({said})" if said else ""
        if self._prefix:
            return (
                f"{self._address} does not let us be root by `sudo -n`{words}; let the user run all without a "
                "password (`USER ALL=(ALL) NOPASSWD: ALL` in its sudoers), or log in as root"
            )
        return (
            f"{self._address} lets us in, and runs something else than the commands that it is given{words}; is "
            "there a `ForceCommand` in its sshd_config, a `command=` in its authorized_keys, or no sh?"
        )

    def accepts(self, ip: str, port: int, timeout: float) -> bool:
        """Does something on the host's side accept a TCP connection at this address?

        Raises Refused where the host's sshd does not forward connections at all.
        """
        try:
            channel = self._transport.open_channel("direct-tcpip", (ip, port), ("127.0.0.1", 0), timeout=timeout)
        except paramiko.ChannelException as error:
            if error.code == 1:
                raise HostRefused(
                    f"sshd of {self._address} forbids TCP forwarding, so no pod can be found ready; set "
                    "`AllowTcpForwarding local` in its sshd_config"
                ) from error
            return False
        except (paramiko.SSHException, EOFError, OSError):
            return False
        channel.close()
        return True

    def connect_to(self, ip: str, port: int, timeout: float) -> paramiko.Channel:
        """A TCP connection from the host to this address; the caller closes it.

        Refused where its sshd does not forward connections, CommandFailed where nothing accepts it.
        """
        try:
            return self._transport.open_channel("direct-tcpip", (ip, port), ("127.0.0.1", 0), timeout=timeout)
        except paramiko.ChannelException as error:
            if error.code == 1:
                raise HostRefused(
                    f"sshd of {self._address} forbids TCP forwarding; set `AllowTcpForwarding local` in its "
                    "sshd_config"
                ) from error
            raise CommandFailed(f"nothing accepts connections at {ip}:{port}") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ConnectionLost(f"connecting to {ip}:{port} failed: {error or type(error).__name__}") from error

    def pulse(self, timeout: float) -> bool:
        """Has sshd answered within `timeout`?"""
        return self._keepalive.ask(timeout)

    def pulse_comes(self, timeout: float) -> bool:
        """Does an answer to the last `pulse` come yet?"""
        return self._keepalive.answers(timeout)

    def reaches(self, ip: str, port: int, timeout: float) -> bool | None:
        """Does anything answer the host at this address: a program there, or its kernel, by refusing?

        None: this host cannot tell, as it does not forward connections, or does not answer itself."""
        try:
            channel = self._transport.open_channel("direct-tcpip", (ip, port), ("127.0.0.1", 0), timeout=timeout)
        except paramiko.ChannelException as error:
            if error.code != _CONNECT_FAILED:
                return None
            return "refused" in error.text.lower()
        except (paramiko.SSHException, EOFError, OSError):
            return False if self.pulse(_PULSE_SECONDS) else None
        channel.close()
        return True

    def close(self) -> None:
        end(self._transport)
        self._keepalive.end()

    @contextlib.contextmanager
    def _guarded(self, doing: str, timeout: float) -> Iterator[None]:
        try:
            with closing_after(timeout, self._transport):
                yield
        except (paramiko.SSHException, EOFError, OSError) as error:
            words = str(error).rstrip(".")
            why = "" if words in _NOTHING_SAID else f" ({words})"
            raise ConnectionLost(f"the SSH connection to {self._address} was lost while {doing}{why}") from error
