"""Asks the hosts' proxies, for `describe`, how a Service or an Ingress does now."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import click

from reconciler.cli.access import ClusterAccess, ask_each
from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import ref_of
from reconciler.model.api.networking import Ingress
from reconciler.model.edges import edges
from reconciler.model.names import Ref
from reconciler.model.plan import Status
from reconciler.model.sections import Section, ServiceSection, sections_of
from reconciler.model.traffic import ProxyTraffic, Sections, Silent, TrafficReport
from reconciler.nodes.proxy.reader import ProxyReader
from reconciler.wiring.hosts import credentials_of


def traffic_of(state: ClusterAccess, status: Status) -> Mapping[str, ProxyTraffic]:
    """Ask the proxies of the nodes that should serve an object for its traffic, and return it by node.

    What no proxy serves has none. It takes as long as the slowest host may: some seconds.
    """
    if not _is_served(status):
        return {}
    try:
        cluster, nodes = state.hosts()
    except click.ClickException as error:
        click.echo(f"error: how it does now cannot be asked: {error}", err=True)
        return {}
    asked = edges(nodes) if isinstance(status, Ingress) else tuple(nodes)
    credentials, names = credentials_of(state.settings), sections_of(ref_of(status))

    def look(node: str) -> Sections:
        with closing(ProxyReader(nodes[node], cluster, credentials)) as reader:
            return reader.read(names)

    return {node: _told(answer, ref_of(status)) for node, answer in ask_each(asked, look).items()}


def _is_served(status: Status) -> bool:
    if isinstance(status, Service):
        return status.spec.cluster_ip not in ("", "None")
    return isinstance(status, Ingress)


def _told(answer: Sections | Exception, ref: Ref) -> ProxyTraffic:
    if isinstance(answer, Exception):
        return Silent(str(answer))
    return TrafficReport(tuple(one for one in answer if _owner(one.section) == ref))


def _owner(section: Section) -> Ref:
    return section.service if isinstance(section, ServiceSection) else section.ingress
