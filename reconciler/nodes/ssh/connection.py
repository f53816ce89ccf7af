"""The one SSH connection to a host. Channels are opened through it; closing it frees everyone who waits on one.

A call that could wait for a dead host is guarded by a timer that closes the connection: paramiko wakes every
waiter then, so each wait has an end even where paramiko itself takes no time-out.
"""

import contextlib
import logging
import shlex
import socket
import threading
from collections.abc import Iterator, Sequence
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

import paramiko
from msgspec import Struct

from reconciler.model.api.core.node import Node
from reconciler.nodes.docker.plain_text import plain
from reconciler.nodes.errors import CommandFailed, ConnectionLost, Refused, Unusable
from reconciler.nodes.ssh.host_keys import check_host_key, pinned_type
from reconciler.nodes.ssh.keepalive import Keepalive

_KEEPALIVE_SECONDS = 15
_OPEN_SECONDS = 5.0
SESSIONS = 10
"""Of sshd's, in use on one connection: see connection.py."""
_WORD, _MOST_WORDS = "reconciler", 300
_PULSE_SECONDS = 0.5
_CONNECT_FAILED = 2
"""RFC 4254, 5.1: the host tried to connect, and did not succeed; its text says why."""
_WAKE_SECONDS = 1.0
"""How often paramiko's thread wakes on a silent connection, to see whether a keepalive is due. Ten times a second,
as it would by itself, were a quarter of what an idle reconciler costs."""


_NOTHING_SAID = ("", "Unable to open channel", "SSH session not active")
"""What paramiko says of a connection that is gone, whatever ended it."""


class Credentials(Struct, frozen=True):
    """How we prove who we are; the keys are tried in this order, then the agent's."""

    key_paths: tuple[Path, ...] = ()
    use_agent: bool = False
    known_hosts: Path | None = None
    """For nodes that pin no key of their own."""


class SshConnection:
    """Made by `connect`; once it is lost it stays lost."""

    def __init__(self, transport: paramiko.Transport, node: Node) -> None:
        self._transport = transport
        self._address = str(node.ssh)
        self._keepalive = Keepalive(transport)
        self._prefix = () if node.ssh.user == "root" else ("sudo", "-n")

    @classmethod
    def connect(cls, node: Node, credentials: Credentials, timeout: float) -> "SshConnection":
        """Connect, check the host's key, then log in, all within about `timeout` seconds.

        Raises Refused for a host that is not the one expected, Unusable where it answers and does not let us in,
        ConnectionLost where it does not answer.
        """
        transport = _transport_to(node, timeout)
        try:
            with _closing_after(timeout, transport):
                _greet(transport, node, credentials, timeout)
                _log_in(transport, node, credentials)
        except ConnectionLost as error:
            # It has accepted the TCP connection.
            _end(transport)
            raise Unusable(str(error)) from error
        except BaseException:
            _end(transport)
            raise
        transport.set_keepalive(_KEEPALIVE_SECONDS)
        transport.sock.settimeout(_WAKE_SECONDS)
        return cls(transport, node)

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
                raise Refused(
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
                raise Refused(
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
        _end(self._transport)
        self._keepalive.end()

    @contextlib.contextmanager
    def _guarded(self, doing: str, timeout: float) -> Iterator[None]:
        try:
            with _closing_after(timeout, self._transport):
                yield
        except (paramiko.SSHException, EOFError, OSError) as error:
            words = str(error).rstrip(".")
            why = "" if words in _NOTHING_SAID else f" ({words})"
            raise ConnectionLost(f"the SSH connection to {self._address} was lost while {doing}{why}") from error


def _transport_to(node: Node, timeout: float) -> paramiko.Transport:
    address = node.ssh
    try:
        connection = socket.create_connection((address.host, address.port), timeout=timeout)
    except ConnectionRefusedError as error:
        raise Unusable(
            f"{address} does not answer: {error.strerror}, so nothing listens there; is sshd running, and is that "
            "its port?"
        ) from error
    except OSError as error:
        raise ConnectionLost(
            f"{address} does not answer: {error.strerror or error}; is the host up, and is sshd at that address?"
        ) from error
    # paramiko leaves Nagle's algorithm on: opening a channel would cost 45 ms instead of 0.4 ms.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        transport = paramiko.Transport(connection)
    except paramiko.SSHException as error:
        connection.close()
        raise ConnectionLost(f"{address}: {error}") from error
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = timeout
    transport.name = f"ssh {node.metadata.name}"
    transport.daemon = True
    _quiet_log(transport)
    return transport


def _greet(transport: paramiko.Transport, node: Node, credentials: Credentials, timeout: float) -> None:
    if kind := pinned_type(node.host_key):
        _ask_for(transport, kind)
    try:
        transport.start_client(timeout=timeout)
        offered = transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise Refused(
            f"Node {node.metadata.name}: {node.ssh} cannot prove itself with a key of the pinned type "
            f"{kind or '(none)'} ({error}); no credential was sent. Pin a key that its sshd has"
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise ConnectionLost(f"{node.ssh}: no SSH greeting within {timeout:g} s ({error or 'closed'})") from error
    listed_as = node.ssh.host if node.ssh.port == 22 else f"[{node.ssh.host}]:{node.ssh.port}"
    check_host_key(offered, node.metadata.name, listed_as, node.host_key, credentials.known_hosts)


def _ask_for(transport: paramiko.Transport, kind: str) -> None:
    """A host has several keys; the one we compare is the one to be shown."""
    kinds = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
    try:
        transport.get_security_options().key_types = kinds
    except ValueError as error:
        raise Refused(
            f"a host key of type {kind!r} cannot be pinned: use ssh-ed25519, ecdsa or ssh-rsa"
        ) from error


def _log_in(transport: paramiko.Transport, node: Node, credentials: Credentials) -> None:
    """Log in with the first key that the host accepts; which ones cannot be used is told if none is accepted."""
    tried = 0
    unusable: list[str] = []
    for key in _keys(credentials, unusable):
        tried += 1
        try:
            transport.auth_publickey(node.ssh.user, key)
        except paramiko.BadAuthenticationType as error:
            raise ConnectionLost(f"{node.ssh} takes no public keys, only {error.allowed_types}") from error
        except paramiko.AuthenticationException:
            continue
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise ConnectionLost(f"{node.ssh}: the connection ended while logging in ({error})") from error
        else:
            return
    passed_over = "".join(f"; {reason}" for reason in unusable)
    if tried:
        keys = "the key" if tried == 1 else f"any of the {tried} keys"
        raise ConnectionLost(
            f"{node.ssh} did not accept {keys}; append the public key to its ~/.ssh/authorized_keys{passed_over}"
        )
    raise ConnectionLost(
        f"no private key to log in to {node.ssh} with{passed_over}"
        if unusable
        else f"no private key to log in to {node.ssh} with; name one (--ssh-key), or load it into ssh-agent"
    )


def _keys(credentials: Credentials, unusable: list[str]) -> Iterator[paramiko.PKey]:
    """The private keys to offer, in order; why a file cannot be used is added to `unusable`, with the way out."""
    for path in credentials.key_paths:
        try:
            yield paramiko.PKey.from_path(path)
        except (TypeError, paramiko.PasswordRequiredException):
            # How the library tells a passphrase that it was not given.
            unusable.append(
                f"the private key {path} is protected by a passphrase: load it into ssh-agent (`ssh-add {path}`) "
                "and leave --ssh-key out, or name a key without one"
            )
        except (OSError, ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
            unusable.append(f"the private key {path} cannot be used: {error}")
    if credentials.use_agent:
        agent = paramiko.Agent()
        try:
            yield from agent.get_keys()
        finally:
            agent.close()


@contextlib.contextmanager
def _closing_after(seconds: float, transport: paramiko.Transport) -> Iterator[None]:
    timer = threading.Timer(seconds, _end, (transport,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(transport: paramiko.Transport) -> None:
    with contextlib.suppress(OSError):
        # Wakes its thread. Fails where the other side has ended the connection already.
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    # paramiko leaves the socket open where its thread had ended before.
    transport.sock.close()


def _quiet_log(transport: paramiko.Transport) -> None:
    """What paramiko would print about a lost connection, its session says better."""
    transport.set_log_channel("reconciler.ssh")
    log = logging.getLogger("reconciler.ssh")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
