"""Addresses: of hosts, as manifests write them (an IPv4 address, or a name), of sockets, and of network cards."""

from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address

from msgspec import Struct


class SocketAddress(Struct, frozen=True, order=True, cache_hash=True, gc=False):
    """An IPv4 address and a TCP port, where something listens or is connected to.

    It is text, `ip:port`, only at the edge: in HAProxy's files and its runtime API, in messages, in reports."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"


def socket_address(text: str) -> SocketAddress:
    """Read `ip:port`; ValueError for any other text."""
    ip, _, port = text.rpartition(":")
    if not is_ipv4(ip):
        raise ValueError(f"{text!r} is no IPv4 address with a port")
    return SocketAddress(ip, int(port))


@lru_cache(65_536)
def is_ipv4(host: str) -> bool:
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True


def mac_of(ip: str) -> str:
    """Return the MAC address of the pod with this IP: what Docker itself made of addresses until version 28."""
    return ":".join(("02", "42", *(f"{int(part):02x}" for part in ip.split("."))))
