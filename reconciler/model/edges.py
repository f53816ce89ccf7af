"""Edges: the nodes where Services of type LoadBalancer, and Ingresses, are open to the outside."""

from collections.abc import Mapping
from typing import Final

from reconciler.model.addresses import is_ipv4
from reconciler.model.api.core.node import Node
from reconciler.model.names import GROUP

LABEL_EDGE: Final = f"{GROUP}/edge"
INGRESS_PORTS: Final = (80, 443)
"""Where Ingresses are served."""


def edges(nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Names, sorted: the nodes with the label, of any value but `false`; where there is none, all that it does
    not say `false` of."""
    said = {name: node.metadata.labels.get(LABEL_EDGE) for name, node in nodes.items()}
    allowed = sorted(name for name, value in said.items() if value != "false")
    return tuple([name for name in allowed if said[name] is not None] or allowed)


def edge_addresses(nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Where the edges are reached, in the same order: the hosts of their SSH addresses."""
    return tuple(nodes[name].ssh.host for name in edges(nodes))


def edge_hosts(nodes: Mapping[str, Node], known: Mapping[str, str]) -> tuple[str, ...]:
    """The edges' addresses, as far as known. `known`: where a host was reached last whose Node has a name."""
    hosts = ((name, nodes[name].ssh.host) for name in edges(nodes))
    found = (host if is_ipv4(host) else known.get(name, "") for name, host in hosts)
    return tuple(filter(None, found))
