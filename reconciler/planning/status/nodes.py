"""How nodes stand, as Kubernetes' own statuses."""

from collections.abc import Container, Mapping
from functools import lru_cache

from msgspec.structs import replace

from reconciler.model.api.core.node import Node, NodeAddress, NodeSpec, NodeStatus, NodeSystemInfo, SshAddress
from reconciler.model.api.meta import Condition, ObjectMeta
from reconciler.model.memory import NodeRecord
from reconciler.model.names import Ref
from reconciler.model.quantities import Quantity
from reconciler.planning.state.nodes import NodeView


def nodes_with_status(nodes: Mapping[str, NodeView]) -> dict[Ref, Node]:
    """Every node of the revision with its status, and with the pod CIDR that it has."""
    return {Ref("Node", "", name): _node_with_status(node) for name, node in nodes.items()}


def _node_with_status(node: NodeView) -> Node:
    manifest, facts = node.manifest, node.last.facts if node.last else None
    ready = Condition("Ready", "True" if node.answers is not None else "False", message=_node_message(node))
    status = NodeStatus(conditions=(ready,))
    if facts is not None:
        capacity = _capacity(facts.cpus, facts.memory_bytes)
        addresses = (NodeAddress("InternalIP", facts.address),) if facts.address else ()
        status = NodeStatus(
            capacity,
            capacity,
            (ready,),
            (*addresses, NodeAddress("Hostname", manifest.metadata.name)),
            NodeSystemInfo(
                kernel_version=facts.kernel,
                os_image=facts.os,
                container_runtime_version=f"docker://{facts.engine_version}",
                operating_system="linux",
                architecture=facts.architecture,
                machine_id=facts.engine_id,
            ),
        )
    return replace(manifest, spec=replace(manifest.spec, pod_cidr=node.record.pod_cidr), status=status)


@lru_cache(maxsize=1 << 12)
def _capacity(cpus: int, memory_bytes: int) -> dict[str, Quantity]:
    return {"cpu": Quantity.parse(cpus), "memory": Quantity.parse(memory_bytes)}


def departed_nodes(records: Mapping[str, NodeRecord], nodes: Container[str]) -> dict[Ref, Node]:
    """Nodes that the revision does not have any more, until a reset takes off them what still runs there."""
    departed = {}
    for name, record in records.items():
        if name not in nodes and record.engine_id:
            why = (
                "it is not in the manifests: what runs there is left as it is, and counts for nothing; "
                f"`reconciler node reset {name} SOURCE` takes it away, with --forget where the host is gone"
            )
            departed[Ref("Node", "", name)] = Node(
                ObjectMeta(name),
                record.ssh or SshAddress("", ""),
                record.host_key,
                NodeSpec(pod_cidr=record.pod_cidr),
                NodeStatus(conditions=(Condition("Ready", "False", message=why),)),
            )
    return departed


def _node_message(node: NodeView) -> str:
    if node.silent is not None:
        return node.silent.why
    asked = node.manifest.spec.pod_cidr
    if asked and asked != node.record.pod_cidr:
        return f"keeps {node.record.pod_cidr}; `reconciler node reset {node.name} SOURCE` lets it take up {asked}"
    if node.answers is None:
        return ""
    network, proxy, dns = node.answers.network, node.answers.proxy, node.answers.dns
    return "; ".join(dict.fromkeys(filter(None, (network.error, network.unresolved, proxy.error, dns.error))))
