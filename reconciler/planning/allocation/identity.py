"""Names and uids, derived from numbers that only rise: the same inputs name the same pods."""

import hashlib
from collections.abc import Iterable

from reconciler.model.names import Ref, Uid

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""As upstream: no vowels, so no words; none that is easily taken for another."""
_SUFFIXES = bytes([ord(_LETTERS[byte % len(_LETTERS)]) for byte in range(256)])
"""The letter that stands for each byte of a hash."""

_PARTS = 5
"""Of a container's name on its host."""


def number_after(found: Iterable[Uid]) -> int:
    """The next number for an owner whose pods these are, where how many there ever were is lost: one that none of
    them had, nor any before them."""
    return int(hashlib.sha256(" ".join(sorted(found)).encode()).hexdigest()[:12], 16)


def pod_name(owner: Ref, template_hash: str, number: int) -> str:
    """`web-3f9a1c22d0-k7x2m`, for the pod of this number that was ever made for a Deployment."""
    digest = hashlib.sha256(f"{owner}\0{template_hash}\0{number}".encode()).digest()
    return f"{owner.name}-{template_hash}-{digest[:5].translate(_SUFFIXES).decode()}"


def pod_uid(cluster: str, namespace: str, name: str, number: int) -> Uid:
    """Return the uid of a pod, in the form of a UUID of version 5 (a name's hash)."""
    digest = hashlib.sha256(f"{cluster}\0{namespace}\0{name}\0{number}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


def container_name(cluster: str, namespace: str, pod: str, container: str, uid: Uid) -> str:
    """Every part is a DNS name, so that the separator is never part of one."""
    return f"{cluster}_{namespace}_{pod}_{container}_{uid[:8]}"


def container_of(name: str) -> str:
    """A container's name in its pod, from its name on the host; empty for a name that is not ours."""
    parts = name.split("_")
    return parts[3] if len(parts) == _PARTS else ""
