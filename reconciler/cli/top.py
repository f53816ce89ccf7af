"""`reconciler top`: what pods and nodes use of CPU and memory, now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import click

from reconciler.cli.access import ClusterAccess, ask_each, known, pod_options
from reconciler.cli.console import show_lines, show_values
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import host_options, host_settings, output_option
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import ref_of
from reconciler.model.names import Ref, Uid
from reconciler.nodes.access.host import HostAccess
from reconciler.nodes.access.usage import ContainerUsage, containers_usage, host_usage
from reconciler.nodes.errors import NodeError
from reconciler.reporting import table_lines
from reconciler.reporting.usage import NodeUsage, PodUsage, nodes_usage_table, pods_usage_table, usage_json

Answer = TypeVar("Answer")


@click.group()
def top() -> None:
    """Show what pods and nodes use of CPU and memory, as their hosts count it now."""


@top.command("pods")
@click.argument("name", required=False)
@click.option("-A", "--all-namespaces", is_flag=True, help="Of every namespace.")
@click.option("--containers", is_flag=True, help="Each container by itself.")
@output_option("table", "json")
@pod_options
@click.pass_context
def top_pods(
    ctx: click.Context,
    /,
    name: str | None,
    all_namespaces: bool,
    containers: bool,
    output: str,
    namespace: str,
    **given: Any,
) -> None:
    """Of running pods: of all in a namespace, or of NAME alone."""
    configure_logging()
    state = known(host_settings(given))
    if name is not None:
        pods = [state.pod(name, namespace)]
    else:
        placed = [pod for pod in state.pods() if pod.spec.node_name]
        pods = [pod for pod in placed if all_namespaces or pod.metadata.namespace == namespace]
    told, failed = _ask(
        state, sorted({pod.spec.node_name for pod in pods}), lambda host, _: containers_usage(host)
    )
    usages = _by_pod(pods, [one for each in told for one in each], apart=containers)
    if output == "json":
        show_values([usage_json(one) for one in usages])
    else:
        show_lines(table_lines(pods_usage_table(usages, namespaces=all_namespaces, containers=containers)))
    ctx.exit(2 if failed else 0)


@top.command("nodes")
@click.argument("name", required=False)
@output_option("table", "json")
@host_options
@click.pass_context
def top_nodes(ctx: click.Context, /, name: str | None, output: str, **given: Any) -> None:
    """Of every node, or of NAME alone: the whole host, whatever else runs on it."""
    configure_logging()
    state = known(host_settings(given))
    nodes = [one for one in state.statuses.values() if isinstance(one, Node)]
    chosen = {node.metadata.name: node for node in nodes if name in (None, node.metadata.name)}
    if name is not None and not chosen:
        raise click.ClickException(f"node {name!r} not found")

    def look(host: HostAccess, node: str) -> NodeUsage:
        used, capacity = host_usage(host, node), chosen[node].status.capacity
        cpu, memory = capacity.get("cpu"), capacity.get("memory")
        return NodeUsage(
            node, used.cpu_milli, used.memory_bytes, cpu.milli if cpu else 0, memory.whole if memory else 0
        )

    told, failed = _ask(state, list(chosen), look)
    if output == "json":
        show_values([usage_json(one) for one in told])
    else:
        show_lines(table_lines(nodes_usage_table(told)))
    ctx.exit(2 if failed else 0)


def _ask(
    state: ClusterAccess, nodes: Sequence[str], question: Callable[[HostAccess, str], Answer]
) -> tuple[list[Answer], bool]:
    """One that does not answer is said on stderr, and the others are shown."""

    def ask(node: str) -> Answer:
        with state.reaching(node) as host:
            return question(host, node)

    told: list[Answer] = []
    failed = False
    for node, answer in ask_each(nodes, ask).items():
        if isinstance(answer, NodeError | click.ClickException):
            failed = True
            click.echo(f"error: {node}: {answer}", err=True)
        else:
            told.append(answer)
    return told, failed


def _by_pod(pods: Collection[Pod], measured: Sequence[ContainerUsage], *, apart: bool) -> list[PodUsage]:
    """By name; of a pod of which nothing runs there is nothing to say."""
    refs: dict[Uid, Ref] = {pod.metadata.uid: ref_of(pod) for pod in pods}
    single = sorted(
        (
            PodUsage(refs[one.uid], one.container, one.usage.cpu_milli, one.usage.memory_bytes)
            for one in measured
            if one.uid in refs
        ),
        key=lambda usage: (usage.pod, usage.container),
    )
    if apart:
        return single
    together: dict[Ref, PodUsage] = {}
    for one in single:
        known_so_far = together.get(one.pod, PodUsage(one.pod, "", 0, 0))
        together[one.pod] = PodUsage(
            one.pod, "", known_so_far.cpu_milli + one.cpu_milli, known_so_far.memory_bytes + one.memory_bytes
        )
    return list(together.values())
