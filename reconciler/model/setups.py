"""Everything that a host should have beside its pods, as data."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.cluster import ImageGc, NetworkMode
from reconciler.model.api.core.pod import RestartPolicy
from reconciler.model.names import Uid
from reconciler.model.operations import MakeDirectory
from reconciler.model.policies import NodePolicy
from reconciler.model.probes import Hook, ProbedContainer, ProbeSpec
from reconciler.model.proxy import NodeProxy


class Route(Struct, frozen=True, order=True):
    cidr: str
    via: str
    """The peer's address, as its SSH annotation has it (a name is resolved on the master)."""


class NodeNetwork(Struct, frozen=True):
    """The network state a host should have: the whole of it, so applying it is also repairing it."""

    pod_cidr: str
    cluster_cidr: str
    cluster_routes: tuple[Route, ...]
    """The ways to the pods of every node, this one included: one object that the nodes share."""
    addresses: tuple[str, ...]
    """Service addresses on this host, /32."""
    mode: NetworkMode = "auto"
    mtu: int = 0
    """The MTU of the network between the hosts; 0: found out."""
    policy: NodePolicy = NodePolicy()
    service_cidr: str = "10.96.0.0/16"
    """Where `addresses` are from."""

    @property
    def routes(self) -> tuple[Route, ...]:
        """The ways to the pods of the other nodes."""
        return tuple(route for route in self.cluster_routes if route.cidr != self.pod_cidr)


class NodeProber(Struct, frozen=True):
    """What the node's prober should do; no containers: it need not run."""

    image: str
    containers: tuple[ProbedContainer, ...] = ()
    """The containers that are probed, by name."""


class BootPart(Struct, frozen=True):
    """One container of a pod, as a host that boots alone brings it up."""

    container: str
    """Its name on the host."""
    kind: Literal["init", "sidecar", "main"]
    restarts: RestartPolicy
    """When it is to run again after its end."""
    post_start: Hook | None = None
    startup: ProbeSpec | None = None
    """What the next container waits for, if this one is a sidecar."""


class BootPod(Struct, frozen=True):
    """A pod as a host that boots alone brings it up: its containers, in the order of their start."""

    uid: Uid
    parts: tuple[BootPart, ...]
    sandbox: str = ""
    """Its name on the host; empty: the pod has none."""
    memory: tuple[MakeDirectory, ...] = ()
    """Its directories in memory, which a boot takes away."""


class NodeBoot(Struct, frozen=True):
    """What a host brings up when it boots and no master comes."""

    image: str
    pods: tuple[BootPod, ...] = ()
    """The pods to bring up, by uid."""


class NodeDns(Struct, frozen=True):
    """The two name servers a host should have: the files they read, and how to tell that they have read them."""

    image: str
    addresses: tuple[str, str]
    """Both answer the same; they are restarted one after the other."""
    config: str
    """The whole dnsmasq.conf: read at their start."""
    config_name: str
    """There is a TXT record of this name where this very configuration is in force."""
    hosts: Mapping[str, str]
    """File -> text, in the format of /etc/hosts: read as soon as they are written."""
    hosts_name: str
    """The name that is given an address last of all: it has it where these very hosts are in force."""
    upstreams: tuple[str, ...] = ()
    """Empty: the host's own name servers."""
    answers: Mapping[str, str] = {}
    """File -> text, of what they ask the authority: read with every question."""
    answers_name: str = ""
    """It is known where these very answers are in force."""

    @property
    def fingerprint(self) -> str:
        """What DnsState.fingerprint says once this is in force."""
        return f"{self.config_name} {self.hosts_name} {self.answers_name}"


class NodeSetup(Struct, frozen=True):
    """Everything a host should have beside its pods."""

    network: NodeNetwork
    proxy: NodeProxy
    checks: frozenset[SocketAddress] = frozenset()
    """Ports of pods on this host to connect to until they answer; the answer is `Reachable.listening`."""
    prober: NodeProber = NodeProber("")
    image_gc: ImageGc = ImageGc()
    dns: NodeDns | None = None
    """None: as it is."""
    boot: NodeBoot | None = None
    """None: as it is."""
