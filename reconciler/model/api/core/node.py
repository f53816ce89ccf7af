"""Nodes: the Docker hosts of a cluster."""

from typing import Literal

from msgspec import Struct, field

from reconciler.model.api.meta import ObjectMeta


class Taint(Struct, frozen=True, rename="camel"):
    key: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    value: str = ""


class NodeSpec(Struct, frozen=True, rename="camel"):
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    pod_cidr: str = field(default="", name="podCIDR")
    """Empty: a part of the cluster's pod CIDR, chosen and remembered."""


class SshAddress(Struct, frozen=True):
    """From the annotation `reconciler.dev/ssh: ssh://user@host:port`."""

    user: str
    host: str
    port: int = 22

    def __str__(self) -> str:
        return f"ssh://{self.user}@{self.host}:{self.port}"


class Node(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    ssh: SshAddress
    host_key: str = ""
    """`ssh-ed25519 AAAA…`, from `reconciler.dev/host-key`; empty: the user's known_hosts decides."""
    spec: NodeSpec = NodeSpec()


def node_labels(node: Node) -> dict[str, str]:
    """Its labels as a nodeSelector sees them: with the one that every node has in Kubernetes."""
    return {"kubernetes.io/hostname": node.metadata.name, **node.metadata.labels}
