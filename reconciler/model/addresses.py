"""Addresses of hosts, as manifests write them: an IPv4 address, or a name."""

from ipaddress import AddressValueError, IPv4Address


def is_ipv4(host: str) -> bool:
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True


def mac_of(ip: str) -> str:
    """Of the pod with this address: what Docker itself made of addresses until version 28."""
    return ":".join(("02", "42", *(f"{int(part):02x}" for part in ip.split("."))))
