"""What is given out once and must stay: written down on every host, for a master that has lost its memory.

`services` puts it into the proxy's file, as one line; `nodes` reads it back with every connection.
"""

import json
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

from msgspec import Struct

from reconciler.model.names import Ref


class ServiceAllocation(NamedTuple):
    cluster_ip: str = ""
    node_ports: tuple[int, ...] = ()
    """The node ports in the order of the Service's ports; 0 where there is none."""


class HostAllocations(Struct, frozen=True):
    """What an earlier master gave out, as one host has it."""

    pod_cidr: str = ""
    """The subnet of the host's pod network; empty: it has none."""
    services: Mapping[Ref, ServiceAllocation] = {}
    ingresses: Mapping[Ref, int] = {}
    """The turn of each: of two that claim one host and path, the lower one has it."""


def given_text(services: Mapping[Ref, ServiceAllocation], ingresses: Mapping[Ref, int]) -> str:
    """One line of JSON; empty where nothing is given out."""
    addressed = {_key(ref): [one.cluster_ip, *one.node_ports] for ref, one in sorted(services.items())}
    addressed = {key: words for key, words in addressed.items() if any(words)}
    turns = {_key(ref): turn for ref, turn in sorted(ingresses.items())}
    parts = {name: part for name, part in (("services", addressed), ("ingresses", turns)) if part}
    return json.dumps(parts, separators=(",", ":")) if parts else ""


def read_given(text: str) -> HostAllocations:
    """Inverse of `given_text`. What cannot be read says nothing."""
    try:
        parts = json.loads(text or "{}")
        services = {
            _ref("Service", key): ServiceAllocation(_address(address), tuple(int(port) for port in ports))
            for key, (address, *ports) in parts.get("services", {}).items()
        }
        turns = {_ref("Ingress", key): int(turn) for key, turn in parts.get("ingresses", {}).items()}
    except (ValueError, TypeError, AttributeError):
        return HostAllocations()
    return HostAllocations(services=services, ingresses=turns)


def _address(text: str) -> str:
    return str(IPv4Address(text)) if text else ""


def _key(ref: Ref) -> str:
    return f"{ref.namespace}/{ref.name}"


def _ref(kind: str, key: str) -> Ref:
    namespace, _, name = key.partition("/")
    return Ref(kind, namespace, name)
