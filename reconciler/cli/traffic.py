"""Asks the hosts' proxies, for `describe`, how a Service or an Ingress does now."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import click

from reconciler.cli.access import Known, ask_each
from reconciler.model.edges import edges
from reconciler.model.names import Ref
from reconciler.model.plan import IngressStatus, ServiceStatus, Status
from reconciler.model.sections import Section, ServiceSection, sections_of
from reconciler.model.traffic import ProxyTraffic, SectionTraffic, Silent, Told
from reconciler.nodes.access import HostAccess
from reconciler.nodes.proxy_stats import proxy_traffic


def traffic_of(state: Known, status: Status) -> Mapping[str, ProxyTraffic]:
    """By node, of those that should serve it; of what no proxy serves, nothing. Takes as long as the slowest host,
    or the connect time-out."""
    if not _is_served(status):
        return {}
    try:
        _, nodes = state.hosts()
    except click.ClickException as error:
        click.echo(f"error: how it does now cannot be asked: {error}", err=True)
        return {}
    asked = edges(nodes) if isinstance(status, IngressStatus) else tuple(nodes)
    return _told(state, status.ref, asked)


def _is_served(status: Status) -> bool:
    if isinstance(status, ServiceStatus):
        return status.cluster_ip not in ("", "None")
    return isinstance(status, IngressStatus)


def _told(state: Known, ref: Ref, nodes: Collection[str]) -> Mapping[str, ProxyTraffic]:
    def look(host: HostAccess, node: str) -> tuple[SectionTraffic, ...]:
        return proxy_traffic(host.proxy_shell(node), sections_of(ref))

    answers = ask_each(state, nodes, look)
    return {
        node: Silent(str(answer))
        if isinstance(answer, Exception)
        else Told(tuple(one for one in answer if _owner(one.section) == ref))
        for node, answer in answers.items()
    }


def _owner(section: Section) -> Ref:
    return section.service if isinstance(section, ServiceSection) else section.ingress
