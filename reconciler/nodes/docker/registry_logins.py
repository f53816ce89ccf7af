"""Which account a pull uses: the first of the pod's logins that names the image's registry. Pure.

Rules: https://kubernetes.io/docs/concepts/containers/images/#config-json
"""

import base64
import binascii
import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from reconciler.model.secrets import SecretText

_HUB: Final = "docker.io"
_HUB_NAMES: Final = frozenset({_HUB, "index.docker.io", "registry-1.docker.io"})


def split_image(image: str) -> tuple[str, str]:
    """`registry:5000/a/b:1.0` -> (`registry:5000/a/b`, `1.0`); a digest counts as the tag; none is `latest`."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    head, colon, tag = image.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (image, "latest")


def registry_of(image: str) -> str:
    """`registry:5000`; Docker Hub's own name where the image names none."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return _HUB if first in _HUB_NAMES else first
    return _HUB


def login_for(image: str, logins: Sequence[SecretText]) -> SecretText | None:
    """Find the login for a registry, for Docker's X-Registry-Auth header; None: no file names this registry."""
    registry, place = registry_of(image), _place(image)
    for login in logins:
        named = [
            (pattern, entry)
            for pattern, entry in sorted(_entries(login).items(), key=lambda item: -len(item[0]))
            if _matches(pattern, registry, place)
        ]
        for _, entry in named:
            if (account := _account(entry)) is not None:
                body = json.dumps({**account, "serveraddress": registry})
                return SecretText(base64.urlsafe_b64encode(body.encode()).decode())
    return None


def _place(image: str) -> str:
    """Registry and path, without tag: `docker.io/library/web`."""
    registry, name = registry_of(image), split_image(image)[0]
    first, slash, rest = name.partition("/")
    if slash and (first == registry or first in _HUB_NAMES):
        name = rest
    return f"{registry}/{name if registry != _HUB or '/' in name else f'library/{name}'}"


def _matches(pattern: str, registry: str, place: str) -> bool:
    """`https://index.docker.io/v1/`, `*.example.org`, `registry:5000/team`: each part of a host by itself."""
    bare = pattern.removeprefix("https://").removeprefix("http://").rstrip("/")
    host, _, path = bare.partition("/")
    if host in _HUB_NAMES:
        host = _HUB
    wanted, given = host.split("."), registry.split(".")
    if len(wanted) != len(given) or not all(map(fnmatchcase, given, wanted)):
        return False
    path = "" if path in ("v1", "v2") else path
    return not path or f"{place}/".startswith(f"{registry}/{path}/")


def _entries(login: SecretText) -> dict[str, Any]:
    """A file that cannot be read names no registry: the manifests have been checked, and it must not be shown."""
    try:
        auths = json.loads(login.reveal())["auths"]
    except (ValueError, KeyError, TypeError):
        return {}
    return auths if isinstance(auths, dict) else {}


def _account(entry: Any) -> dict[str, str] | None:
    if not isinstance(entry, dict):
        return None
    if token := entry.get("identitytoken"):
        return {"identitytoken": str(token)}
    if "username" in entry and "password" in entry:
        return {"username": str(entry["username"]), "password": str(entry["password"])}
    try:
        user, colon, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
    except (binascii.Error, ValueError, TypeError):
        return None
    return {"username": user, "password": password.rstrip("\0")} if colon else None
