"""Nodes: the Docker hosts of a cluster."""

from typing import Final, Literal

from msgspec import Struct, field

from reconciler.model.api.meta import Condition, ObjectMeta
from reconciler.model.quantities import Quantity

ANNOTATION_LEADER: Final = "reconciler.dev/leader"
ANNOTATION_LEASE_EPOCH: Final = "reconciler.dev/lease-epoch"
"""The annotations of a published Node that say who has the lease on the host, and with which epoch."""


class Taint(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What keeps pods from a node that do not tolerate it."""

    key: str
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    value: str = ""


class NodeSpec(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a node takes, and the network of its pods."""

    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    pod_cidr: str = field(default="", name="podCIDR")
    """Empty: a part of the cluster's pod CIDR, chosen and remembered."""


class NodeAddress(Struct, frozen=True, rename="camel", omit_defaults=True):
    """An address, or the name, of a node."""

    type: Literal["InternalIP", "Hostname"]
    address: str


class NodeSystemInfo(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a host says of itself."""

    kernel_version: str = ""
    os_image: str = ""
    container_runtime_version: str = ""
    """`docker://20.10.24`."""
    operating_system: str = ""
    architecture: str = ""
    machine_id: str = field(default="", name="machineID")
    """Docker's own id of the engine."""


class NodeStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a node stands; what no host has said yet is left out."""

    capacity: dict[str, Quantity] = {}
    allocatable: dict[str, Quantity] = {}
    conditions: tuple[Condition, ...] = ()
    """Ready: the host can be used. Its message also says what the host refuses while it is ready."""
    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeSystemInfo = NodeSystemInfo()


class SshAddress(Struct, frozen=True):
    """Where a host is reached, from the annotation `reconciler.dev/ssh: ssh://user@host:port`."""

    user: str
    host: str
    port: int = 22

    def __str__(self) -> str:
        return f"ssh://{self.user}@{self.host}:{self.port}"


class Node(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One Docker host of the cluster."""

    metadata: ObjectMeta
    ssh: SshAddress
    host_key: str = ""
    """`ssh-ed25519 AAAA…`, from `reconciler.dev/host-key`; empty: the user's known_hosts decides."""
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


def node_labels(node: Node) -> dict[str, str]:
    """The labels of a node as a nodeSelector sees them: with the one that every node has in Kubernetes."""
    return {"kubernetes.io/hostname": node.metadata.name, **node.metadata.labels}
