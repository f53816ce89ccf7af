"""Addresses of hosts, as manifests write them: an IPv4 address, or a name."""

from ipaddress import AddressValueError, IPv4Address


def is_ipv4(host: str) -> bool:
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True
