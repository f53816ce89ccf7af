"""What Docker says of a pull, in words: how far it has come, why it failed, and how to fix that. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from reconciler.nodes.docker.registry_logins import registry_of

_MIB: Final = 1 << 20


class _Cause(NamedTuple):
    said: re.Pattern[str]
    """First match wins."""
    fix: str
    reason: str = "ErrImagePull"


def _cause(said: str, fix: str, reason: str = "ErrImagePull") -> _Cause:
    return _Cause(re.compile(said, re.IGNORECASE), fix, reason)


_CAUSES: Final = (
    _cause(
        r"invalid reference format|invalid tag|repository name must be",
        "that is no image's name: correct it",
        "InvalidImageName",
    ),
    _cause(
        r"server gave HTTP response to HTTPS client|does not look like a TLS handshake",
        "the registry {registry} does not speak https, as Docker wants it to: give it a certificate, or, if it "
        'speaks http, list it in "insecure-registries" of /etc/docker/daemon.json on the host',
    ),
    _cause(
        r"x509:|certificate",
        "Docker does not trust the certificate of the registry {registry}: put its CA into "
        "/etc/docker/certs.d/{registry}/ca.crt on the host",
    ),
    _cause(
        r"no such host|dial tcp: lookup |server misbehaving|temporary failure in name resolution",
        "the host cannot resolve the name of the registry {registry}: check the name, and the host's DNS",
    ),
    _cause(r"connection refused", "nothing listens at the registry {registry}: is it up, and is that its port?"),
    _cause(
        r"i/o timeout|deadline exceeded|timeout exceeded|TLS handshake timeout|no route to host|unreachable",
        "the registry {registry} does not answer the host: is it up, and does a firewall let the host through?",
    ),
    _cause(r"no space left on device", "the host's disk is full: free some of it"),
    _cause(r"no matching manifest", "the image is not made for this host's kind of processor"),
    _cause(
        r"toomanyrequests|too many requests|\b429\b",
        "the registry {registry} limits how often it is asked: wait, log in (imagePullSecrets), or use a mirror",
    ),
    _cause(
        r"access denied for|access to the resource is denied|no basic auth credentials|unauthorized|\b401\b",
        "either the image does not exist, or the registry {registry} wants a login: name a Secret of type "
        "kubernetes.io/dockerconfigjson in imagePullSecrets, and check its user and password",
    ),
    _cause(r"\bdenied\b|forbidden|\b403\b", "the account used at the registry {registry} may not read this image"),
    _cause(
        r"manifest unknown|name unknown|not found|does not exist|\b404\b",
        "the registry {registry} has no such image: check its name and tag",
    ),
)


_OWN_END = re.compile(r"(?:\d+(?:\.\d+){3}|\[[0-9a-f:]+\]):\d+->", re.IGNORECASE)
"""The host's own end of a connection, as Go writes it: its port is another one with each try."""


def failure(image: str, said: str) -> tuple[str, str]:
    """Kubernetes' reason, and the message with how to fix it: the same words for the same cause."""
    said = _OWN_END.sub("", said)
    for cause in _CAUSES:
        if cause.said.search(said):
            return cause.reason, f"cannot pull {image}: {said}; {cause.fix.format(registry=registry_of(image))}"
    return "ErrImagePull", f"cannot pull {image}: {said}"


class PullProgress:
    """Adds up what Docker reports of each layer."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[int, int]] = {}
        self._done: set[str] = set()

    def hear(self, line: Mapping[str, Any]) -> None:
        layer, status = str(line.get("id", "")), str(line.get("status", ""))
        if not layer or status.startswith("Pulling from"):
            return
        detail = line.get("progressDetail") or {}
        known = self._layers.setdefault(layer, (0, 0))
        if status == "Downloading" and detail.get("total"):
            self._layers[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        elif status in ("Verifying Checksum", "Download complete", "Extracting"):
            self._layers[layer] = (known[1], known[1])
        if status in ("Pull complete", "Already exists"):
            self._layers[layer] = (known[1], known[1])
            self._done.add(layer)

    def words(self) -> str:
        """`3 of 7 layers, 45 MiB of 120 MiB`: downloaded, of what is known of so far."""
        if not self._layers:
            return "asking the registry"
        layers = f"{len(self._done)} of {len(self._layers)} layers"
        total = sum(of for _, of in self._layers.values())
        if not total:
            return layers
        came = sum(current for current, _ in self._layers.values())
        return f"{layers}, {came // _MIB} MiB of {-(-total // _MIB)} MiB"
