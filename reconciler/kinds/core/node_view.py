"""How nodes are shown."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from reconciler.kinds.core.pod_view import pods_entry
from reconciler.model.api.core.node import ANNOTATION_LEADER, ANNOTATION_LEASE_EPOCH, Node
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import holds, message_of
from reconciler.model.resource_requests import requests_of
from reconciler.reporting.describing.page import Entry, entry, events_entry, heading, named, page, rows
from reconciler.reporting.lines import Line
from reconciler.reporting.view import NONE, UNKNOWN, Column, Context, View, name_column

_DOCKER: Final = "docker://"


class _Resources(NamedTuple):
    cpu_milli: int
    memory_bytes: int


def _capacity(node: Node) -> _Resources:
    """Nothing while it is not known."""
    cpu, memory = node.status.capacity.get("cpu"), node.status.capacity.get("memory")
    return _Resources(cpu.milli if cpu else 0, memory.whole if memory else 0)


def _requested(pods: Iterable[Pod]) -> _Resources:
    demands = [requests_of(pod.spec) for pod in pods]
    return _Resources(sum(one.cpu_milli for one in demands), sum(one.memory_bytes for one in demands))


def _pods(node: Node, context: Context) -> list[Pod]:
    return list(context.grouped(Pod, _node_of).get(node.metadata.name, ()))


def _node_of(pod: Pod) -> str:
    return pod.spec.node_name


def _message(node: Node) -> str:
    return message_of(node.status.conditions, "Ready")


def _state(node: Node, _: Context) -> str:
    ready = "Ready" if holds(node.status.conditions, "Ready") else "NotReady"
    return ready + (",SchedulingDisabled" if node.spec.unschedulable else "")


def _cpu(node: Node, context: Context) -> str:
    return _of_capacity(f"{_requested(_pods(node, context)).cpu_milli}m", f"{_capacity(node).cpu_milli}m", node)


def _memory(node: Node, context: Context) -> str:
    requested = _mebi(_requested(_pods(node, context)).memory_bytes)
    return _of_capacity(requested, _mebi(_capacity(node).memory_bytes), node)


def _of_capacity(requested: str, capacity: str, node: Node) -> str:
    return f"{requested}/{capacity if node.status.capacity else UNKNOWN}"


def _mebi(number: int) -> str:
    return f"{number // 2**20}Mi"


def _version(node: Node, _: Context) -> str:
    return node.status.node_info.container_runtime_version.removeprefix(_DOCKER) or UNKNOWN


def _describe(node: Node, context: Context) -> list[Line]:
    pods, capacity = _pods(node, context), _capacity(node)
    requested = _requested(pods)
    taints = tuple(
        f"{taint.key}{'=' + taint.value if taint.value else ''}:{taint.effect}" for taint in node.spec.taints
    )
    ready = str(holds(node.status.conditions, "Ready"))
    return page(
        [
            *named(node.metadata),
            Entry("Taints", taints or (NONE,)),
            entry("Unschedulable", str(node.spec.unschedulable).lower()),
            heading("Conditions", [rows([("Type", "Status", "Message"), ("Ready", ready, _message(node))])]),
            heading(
                "Capacity",
                [
                    entry("cpu", f"{capacity.cpu_milli}m" if capacity.cpu_milli else UNKNOWN),
                    entry("memory", _mebi(capacity.memory_bytes) if capacity.memory_bytes else UNKNOWN),
                ],
            ),
            heading(
                "Allocated resources (requests)",
                [
                    entry("cpu", _part(f"{requested.cpu_milli}m", requested.cpu_milli, capacity.cpu_milli)),
                    entry(
                        "memory",
                        _part(_mebi(requested.memory_bytes), requested.memory_bytes, capacity.memory_bytes),
                    ),
                ],
            ),
            entry("Container Runtime Version", node.status.node_info.container_runtime_version),
            entry("PodCIDR", node.spec.pod_cidr),
            pods_entry(pods, namespaces=True),
            events_entry(context.events, context.now),
        ]
    )


def _part(words: str, part: int, whole: int) -> str:
    return f"{words} ({part * 100 // whole}%)" if whole else words


NODE_VIEW: Final = View[Node](
    columns=(
        name_column(),
        Column("STATUS", _state),
        Column("PODS", lambda node, context: str(len(_pods(node, context))), "integer"),
        Column("CPU", _cpu),
        Column("MEMORY", _memory),
        Column("VERSION", _version),
        Column("POD-CIDR", lambda node, _: node.spec.pod_cidr or NONE, priority=1),
        Column("LEADER", lambda node, _: node.metadata.annotations.get(ANNOTATION_LEADER, NONE), priority=1),
        Column("EPOCH", lambda node, _: node.metadata.annotations.get(ANNOTATION_LEASE_EPOCH, NONE), priority=1),
        Column("MESSAGE", lambda node, _: _message(node) or NONE, priority=1),
    ),
    describe=_describe,
)
