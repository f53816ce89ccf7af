"""The types of our own API group, reconciler.dev: the settings of a cluster."""

from ipaddress import IPv4Network
from typing import Literal, TypeAlias

from msgspec import Struct, field

from reconciler.model.acme import Acme
from reconciler.model.api.core.container import IntOrName
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.quantities import Quantity


class ClusterImages(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The images of the containers that the reconciler itself runs on every host."""

    pause: str = "registry.k8s.io/pause:3.10"
    proxy: str = "reconciler-proxy:1"
    """Made once by the cluster's owner: docs/how-to/proxy-image.md."""


class SshDefaults(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How hosts are reached, where a Node's address does not say it."""

    user: str = "root"
    port: int = 22
    connect_timeout_seconds: float = 5.0


class Sync(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How often the hosts are looked at."""

    relist_seconds: float = 30.0
    """How often every host is listed in full, beside its event stream."""
    heartbeat_seconds: float = 1.0


class Guard(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What a revision may not do by accident."""

    max_delete_percent: int = 50
    """A revision that drops more of the running objects than this waits for a confirmation."""
    min_objects: int = 5
    """The percentage is not looked at below this many running objects."""


class NodeLifecycle(Struct, frozen=True, rename="camel", omit_defaults=True):
    """When a node that does not answer counts as lost."""

    lost_after_seconds: float = 3.0
    """A node that neither we nor another node reaches for longer has its Deployment pods replaced elsewhere."""
    max_lost_percent: int = 50
    """How many of the nodes may be unreachable; if more are, the fault is likelier ours, and nothing is moved."""


SecurityLevel: TypeAlias = Literal["privileged", "baseline", "restricted"]


class HostPathRule(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A path of the hosts, and everything below it, that pods may mount."""

    path: str
    read_only: bool = True
    namespaces: tuple[str, ...] = ()
    """Empty: all."""


class PodSecurity(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What pods may ask for: the levels of the Pod Security Standards, and exceptions by name.

    Rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """

    default: SecurityLevel = "baseline"
    namespaces: dict[str, SecurityLevel] = {}
    host_paths: tuple[HostPathRule, ...] = ()
    """Allowed below the level privileged."""
    host_ports: tuple[IntOrName, ...] = ()
    """Ports (`8080`) and ranges (`"8000-8999"`) allowed below the level privileged."""


class PodLimits(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What one container may use beyond its resources."""

    pids: int = 1024
    """Processes and threads of one container; 0: no limit."""
    container_log_max_size: Quantity = Quantity.parse("10Mi")
    """The size of one file of a container's log: beyond it Docker begins another."""
    container_log_max_files: int = 5
    """The number of files of one container's log; the oldest goes."""


class ImageGc(Struct, frozen=True, rename="camel", omit_defaults=True):
    """When images are removed that the reconciler pulled itself and that no container uses."""

    high_threshold_percent: int = 85
    """Disk use above which they are removed."""
    low_threshold_percent: int = 80
    """Disk use at which that ends."""


class DnsSettings(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where names outside of the cluster are looked up."""

    upstreams: tuple[str, ...] = ()
    """Name servers asked for every name outside of the cluster; empty: those of each host."""


NetworkMode: TypeAlias = Literal["auto", "routes", "vxlan"]


class ExternalIpRule(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Addresses outside of the cluster that Services may be open at."""

    cidr: str
    namespaces: tuple[str, ...] = ()
    """Empty: all."""


class ClusterNetwork(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How packets get from pod to pod, and who may have which address outside."""

    mode: NetworkMode = "auto"
    """`auto`: by a route to hosts on the same network, through VXLAN to the others, as each host finds out."""
    mtu: int = 0
    """The largest packet that passes between any two hosts; 0: found out."""
    isolate_namespaces: bool = False
    """Pods take connections from pods of their own namespace only, unless a NetworkPolicy allows more."""
    external_ips: tuple[ExternalIpRule, ...] = field(default=(), name="externalIPs")
    """What a Service may name as one of its externalIPs; empty: nothing."""


class ClusterSpec(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The settings of a cluster."""

    pod_cidr: str = field(default="10.244.0.0/16", name="podCIDR")
    node_prefix: int = 24
    """Prefix length of each node's part of the pod CIDR."""
    service_cidr: str = field(default="10.96.0.0/16", name="serviceCIDR")
    cluster_domain: str = "cluster.local"
    dns: DnsSettings = DnsSettings()
    images: ClusterImages = ClusterImages()
    ssh: SshDefaults = SshDefaults()
    sync: Sync = Sync()
    guard: Guard = Guard()
    nodes: NodeLifecycle = NodeLifecycle()
    pod_security: PodSecurity = PodSecurity()
    pod_limits: PodLimits = PodLimits()
    image_gc: ImageGc = field(default=ImageGc(), name="imageGC")
    network: ClusterNetwork = ClusterNetwork()
    acme: Acme | None = None
    """None: certificates are in Secrets alone."""


class Cluster(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The cluster as a whole. The one kind that is ours."""

    metadata: ObjectMeta
    spec: ClusterSpec = ClusterSpec()


_DNS_OFFSETS = (10, 11)
"""In the service CIDR; the first is where most Kubernetes clusters have theirs."""


def dns_addresses(spec: ClusterSpec) -> tuple[str, str]:
    """The addresses of the two name servers that every node has; no Service gets them.

    They are the same on all nodes: each is answered by the node itself.
    """
    network = IPv4Network(spec.service_cidr)
    first, second = (str(network.network_address + offset) for offset in _DNS_OFFSETS)
    return first, second
