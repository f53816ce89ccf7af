"""The way into a host: connect, check its key, and log in, within a deadline. Called by ssh/connection.py."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko
from msgspec import Struct

from reconciler.model.api.core.node import Node
from reconciler.nodes.errors import ConnectionLost, HostRefused, Unusable
from reconciler.nodes.ssh.host_keys import check_host_key, pinned_type

_KEEPALIVE_SECONDS = 15
_WAKE_SECONDS = 1.0
"""How often paramiko's thread wakes on a silent connection, to see whether a keepalive is due. Ten times a second,
as it would by itself, were a quarter of what an idle reconciler costs."""


class Credentials(Struct, frozen=True):
    """How we prove who we are; the keys are tried in this order, then the agent's."""

    key_paths: tuple[Path, ...] = ()
    use_agent: bool = False
    known_hosts: Path | None = None
    """The file with the keys of nodes that pin no key of their own."""


def log_in(node: Node, credentials: Credentials, timeout: float) -> paramiko.Transport:
    """Connect, check the host's key, then log in, all within about `timeout` seconds.

    Raises Refused for a host that is not the one expected, Unusable where it answers and does not let us in,
    ConnectionLost where it does not answer.
    """
    transport = _transport_to(node, timeout)
    try:
        with closing_after(timeout, transport):
            _greet(transport, node, credentials, timeout)
            _authenticate(transport, node, credentials)
    except ConnectionLost as error:
        # It has accepted the TCP connection.
        end(transport)
        raise Unusable(str(error)) from error
    except BaseException:
        end(transport)
        raise
    transport.set_keepalive(_KEEPALIVE_SECONDS)
    transport.sock.settimeout(_WAKE_SECONDS)
    return transport


@contextlib.contextmanager
def closing_after(seconds: float, transport: paramiko.Transport) -> Iterator[None]:
    """End the transport, and with it every wait on it, if this takes longer."""
    timer = threading.Timer(seconds, end, (transport,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def end(transport: paramiko.Transport) -> None:
    """Close the transport and its socket, whatever state they are in."""
    with contextlib.suppress(OSError):
        # Wakes its thread. Fails where the other side has ended the connection already.
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()
    # paramiko leaves the socket open where its thread had ended before.
    transport.sock.close()


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
        raise HostRefused(
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
        raise HostRefused(
            f"a host key of type {kind!r} cannot be pinned: use ssh-ed25519, ecdsa or ssh-rsa"
        ) from error


def _authenticate(transport: paramiko.Transport, node: Node, credentials: Credentials) -> None:
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


def _quiet_log(transport: paramiko.Transport) -> None:
    """What paramiko would print about a lost connection, its session says better."""
    transport.set_log_channel("reconciler.ssh")
    log = logging.getLogger("reconciler.ssh")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
