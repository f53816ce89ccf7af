"""What of an address or a network only arithmetic knows; the schema knows the form."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer


def check_network(text: str, at: Pointer) -> Iterator[Finding]:
    """An error if the address of a network is not the first one in it."""
    network = IPv4Network(text, strict=False)
    if str(network) != text:
        message = f"{text} is an address inside of {network}, not a network"
        yield Finding(at, Code.INVALID_ADDRESS, message, f"write {network}")


def check_address(text: str, at: Pointer) -> Iterator[Finding]:
    """An error about an address that other hosts cannot reach.

    As upstream, a manifest reaches nothing that only a host itself may reach.
    """
    address = IPv4Address(text)
    kinds = (
        ("a loopback address", address.is_loopback),
        ("a link-local address", address.is_link_local),
        ("a multicast address", address.is_multicast),
        ("no host's address", address in IPv4Network("0.0.0.0/8") or address in IPv4Network("240.0.0.0/4")),
    )
    for kind, holds in kinds:
        if holds:
            yield Finding(at, Code.INVALID_ADDRESS, f"{text} is {kind}", "write an address that other hosts reach")
