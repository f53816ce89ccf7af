"""The settings that an Ingress's annotations make."""

import re
from ipaddress import ip_network
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Balance: TypeAlias = Literal["roundrobin", "leastconn", "random", "source", "uri"]


BackendProtocol: TypeAlias = Literal["http", "h2c"]


_DAY: Final = 86_400_000


_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


_HEADER_VALUE: Final = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")


_REALM: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?")


_SECRET: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class Canary(Struct, frozen=True):
    """Which part of another Ingress' traffic this one takes. The header decides before the cookie, the cookie
    before the weight; `always` and `never` are their values."""

    weight: int = 0
    """Percent."""
    header: str = ""
    header_value: str = ""
    """The one value that brings a request here, in place of `always` and `never`."""
    cookie: str = ""

    def __post_init__(self) -> None:
        _require(0 <= self.weight <= 100, "a weight is from 0 to 100")
        _require(not self.header or _TOKEN.fullmatch(self.header), "not a header's name")
        _require(not self.header_value or _HEADER_VALUE.fullmatch(self.header_value), "not a header's value")
        _require(not self.cookie or _TOKEN.fullmatch(self.cookie), "not a cookie's name")


class IngressOptions(Struct, frozen=True):
    """The annotations `reconciler.dev/…` of an Ingress, read by `manifests.annotations.ingress`.

    ValueError for what HAProxy's configuration could read as anything but a value: no text passes as it is.
    """

    timeout_connect: int = 0
    timeout_server: int = 0
    timeout_tunnel: int = 0
    """Milliseconds; 0: HAProxy's section for all ingresses decides."""
    body_size: int = 0
    """Bytes; 0: any."""
    balance: Balance = "roundrobin"
    backend_protocol: BackendProtocol = "http"
    affinity_cookie: str = ""
    """Its name; empty: none."""
    rate_limit: int = 0
    """Requests of one client in each period; 0: any."""
    rate_period: int = 1000
    """Milliseconds."""
    allow: tuple[str, ...] = ()
    """Networks whose clients are served; empty: all."""
    auth_secret: str = ""
    auth_realm: str = "Authentication required"
    ssl_redirect: bool = True
    """Where the Ingress has TLS for the host."""
    acme: bool = False
    """Certificates whose Secrets no manifest has are asked for from the Cluster's ACME server."""
    canary: Canary | None = None

    def __post_init__(self) -> None:
        for time in (self.timeout_connect, self.timeout_server, self.timeout_tunnel):
            _require(0 <= time <= _DAY, "a time-out is at most a day")
        _require(0 <= self.body_size < 1 << 53, "not a size")
        _require(self.balance in ("roundrobin", "leastconn", "random", "source", "uri"), "not a way to balance")
        _require(self.backend_protocol in ("http", "h2c"), "not a protocol")
        _require(not self.affinity_cookie or _TOKEN.fullmatch(self.affinity_cookie), "not a cookie's name")
        _require(0 <= self.rate_limit <= 1_000_000, "not a rate")
        _require(1000 <= self.rate_period <= 3_600_000, "a period is from a second to an hour")
        _require(all(str(ip_network(network)) == network for network in self.allow), "not a network")
        _require(not self.auth_secret or _SECRET.fullmatch(self.auth_secret), "not a Secret's name")
        _require(_REALM.fullmatch(self.auth_realm), "not a realm")


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
