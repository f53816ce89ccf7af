"""Is this the host it should be? Decided from its key, before any credential is sent. Called by connection.py."""

import base64
from pathlib import Path

import paramiko

from reconciler.nodes.errors import HostRefused


def pinned_type(host_key: str) -> str:
    """The algorithm of a pinned key: the server is asked for this one."""
    return host_key.split()[0] if host_key.split() else ""


def check_host_key(offered: paramiko.PKey, node: str, address: str, pinned: str, known_hosts: Path | None) -> None:
    """Return if the offered key is the pinned one, or without a pin, one that known_hosts has; else Refused.

    `address` is what known_hosts lists it under: `host`, or `[host]:port` away from port 22.
    """
    if pinned:
        _check_pinned(offered, node, address, pinned)
    else:
        _check_known(offered, node, address, known_hosts)


def _check_pinned(offered: paramiko.PKey, node: str, address: str, pinned: str) -> None:
    try:
        wanted = paramiko.PKey.from_type_string(*_decoded(pinned))
    except (ValueError, IndexError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        raise HostRefused(
            f"Node {node}: the annotation reconciler.dev/host-key is not a host key ({error}); "
            f"write the output of `ssh-keyscan -t ed25519 {address}` without its first column"
        ) from error
    if (offered.get_name(), offered.asbytes()) != (wanted.get_name(), wanted.asbytes()):
        raise HostRefused(
            f"Node {node}: the host key of {address} is {_shown(offered)}, but reconciler.dev/host-key pins "
            f"{_shown(wanted)}; no credential was sent. If the host was installed anew, put its new key into "
            "the Node's annotation; if not, someone else answers at this address"
        )


def _check_known(offered: paramiko.PKey, node: str, address: str, known_hosts: Path | None) -> None:
    fix = "or pin its key in the Node's annotation reconciler.dev/host-key"
    if known_hosts is None:
        raise HostRefused(
            f"Node {node}: nothing says what the host key of {address} ({_shown(offered)}) should be; give a "
            f"known_hosts file, {fix}; no credential was sent"
        )
    try:
        known = paramiko.HostKeys(str(known_hosts)).lookup(address)
    except OSError as error:
        raise HostRefused(
            f"Node {node}: cannot read {known_hosts} ({error.strerror}): make it readable, {fix}"
        ) from error
    except (ValueError, paramiko.hostkeys.InvalidHostKey) as error:
        raise HostRefused(
            f"Node {node}: {known_hosts} has a line that is no host key ({error}): remove that line, {fix}; no "
            "credential was sent"
        ) from error
    expected = [known[name] for name in known] if known is not None else []
    if not expected:
        raise HostRefused(
            f"Node {node}: {address} ({_shown(offered)}) is not in {known_hosts}; add it with "
            f"ssh-keyscan after comparing its fingerprint, {fix}; no credential was sent"
        )
    if not any(key is not None and key.asbytes() == offered.asbytes() for key in expected):
        shown = ", ".join(_shown(key) for key in expected if key is not None)
        raise HostRefused(
            f"Node {node}: the host key of {address} is {_shown(offered)}, but {known_hosts} has {shown}; no "
            "credential was sent. If the host was installed anew, replace that line; if not, someone else answers"
        )


def _decoded(host_key: str) -> tuple[str, bytes]:
    kind, blob = host_key.split()[:2]
    return kind, base64.b64decode(blob, validate=True)


def _shown(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"
