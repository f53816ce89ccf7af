"""What is: every host as it was last seen. An unreachable host is a type of its own, never an empty one."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from reconciler.model.addresses import SocketAddress
from reconciler.model.allocations import HostAllocations
from reconciler.model.api.core.pod import RestartPolicy
from reconciler.model.limits import ContainerLimits
from reconciler.model.names import (
    LABEL_CLUSTER,
    LABEL_CONTAINER,
    LABEL_HASH,
    LABEL_NAMESPACE,
    LABEL_OWNER,
    LABEL_POD,
    LABEL_REVISION,
    LABEL_TEMPLATE,
    LABEL_UID,
    Uid,
)
from reconciler.model.policies import PodPolicy
from reconciler.model.setups import NodeBoot

IN_MEMORY: Final = "memory"
"""What stands for the contents of an emptyDir in memory, among the fingerprints of a pod's volumes."""

DockerState: TypeAlias = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]


class Ended(Struct, frozen=True, gc=False):
    """How a run of a container ended."""

    exit_code: int
    oom_killed: bool = False
    at: str = ""
    """RFC 3339, from the host's clock: to show."""
    log: str = ""
    """The last lines it wrote, where it failed; bounded, and without control characters."""


class Probed(Struct, frozen=True, gc=False):
    """What the node's prober says of one run of a container."""

    started: bool = False
    """Its startup probe has succeeded, or it has none."""
    ready: bool = False
    """Its readiness probe succeeds; True for one that has none."""
    message: str = ""
    """Which probe failed last, and its own output. Bounded, without control characters."""
    killed: int = 0
    """How often the prober has restarted the container because of its startup or liveness probe."""


class ObservedContainer(Struct, frozen=True, gc=False):
    """A container of ours on a host: what Docker says of it, and its labels read back (host contract)."""

    id: str
    name: str
    image: str
    """The image as it was asked for: `lab/web:1.0`."""
    state: DockerState
    cluster: str
    namespace: str = ""
    pod: str = ""
    uid: Uid = ""
    container: str = ""
    """The container's name in its pod; SANDBOX for the pod's sandbox, SYSTEM_PROXY for the node's proxy."""
    owner: str = ""
    """`Deployment/web`, or empty."""
    hash: str = ""
    revision: str = ""
    template: str = ""
    """What its pod was made from, as `planning.templates` wrote it down."""
    ip: str = ""
    """Its address on the pod network; empty where it has none, or shares its sandbox's."""
    mac: str = ""
    """The MAC address of its place on the pod network; empty: it has none now."""
    namespace_key: str = ""
    """Docker's name for its network namespace."""
    exit_code: int = 0
    oom_killed: bool = False
    restart_count: int = 0
    restart_policy: RestartPolicy | Literal["Other"] | None = None
    """What Docker does by itself when it ends; `Other`: something that is never ours; None: not known."""
    limits: ContainerLimits | None = None
    """What it may use; None: not known."""
    pids_limit: int = 0
    """How many processes it may have; 0: any number, or not known."""
    started_at: str = ""
    """RFC 3339 in UTC, from the host's clock, which may be set back: to show, to tell one run from another, and,
    where nothing better is known, which container of a pod started first; compared with a time of ours only for
    pods that were ready before we came."""
    finished_at: str = ""
    started: float = 0.0
    """`started_at` in Unix seconds; 0: not known."""
    created: float = 0.0
    """When it was made, in Unix seconds, by its host's clock: to show; 0: not known."""
    error: str = ""
    """Docker's own words, where it could not start it."""
    probed: Probed | None = None
    """What its probes say of its present run; None: it has no probes, or they have not said anything yet."""
    last_end: Ended | None = None
    """How the run before the present one ended, or this one if it did; None: none was seen to end."""
    detached: str = ""
    """A path in it where something else is mounted than has that name on the host now; empty: none."""
    image_id: str = ""
    """The id of the image it was made from: `sha256:…`."""
    inspected: bool = True
    """False: Docker has listed it and said no more of it. How it ended and when it began are not known."""

    @property
    def run(self) -> str:
        """Another value, another run of the container."""
        return f"{self.id[:12]}@{self.started_at}"


def labelled(labels: Mapping[str, str]) -> ObservedContainer:
    """A container as its labels describe it: `replace` the rest. Inverse of what `planning.containers` writes."""
    return ObservedContainer(
        id="",
        name="",
        image="",
        state="dead",
        cluster=labels.get(LABEL_CLUSTER, ""),
        namespace=labels.get(LABEL_NAMESPACE, ""),
        pod=labels.get(LABEL_POD, ""),
        uid=labels.get(LABEL_UID, ""),
        container=labels.get(LABEL_CONTAINER, ""),
        owner=labels.get(LABEL_OWNER, ""),
        hash=labels.get(LABEL_HASH, ""),
        revision=labels.get(LABEL_REVISION, ""),
        template=labels.get(LABEL_TEMPLATE, ""),
    )


class Facts(Struct, frozen=True):
    """A host's description of itself."""

    engine_id: str
    engine_version: str
    os: str
    kernel: str
    architecture: str
    cpus: int
    memory_bytes: int
    disk_total_bytes: int = 0
    disk_free_bytes: int = 0
    load1: float = 0.0
    address: str = ""
    """Its IPv4 address, as the master reaches it; empty: none that leads other hosts there."""


class ProxyState(Struct, frozen=True):
    """The node's HAProxy, as last read back."""

    running: bool = False
    fingerprint: str = ""
    """The fingerprint of the configuration in force; empty: none is."""
    routed: frozenset[str] = frozenset()
    """Pod addresses (`10.244.1.7`) that it may send new connections to."""
    connected: frozenset[str] = frozenset()
    """The pods that it sends no new connections to any more, and is still connected to."""
    error: str = ""
    """Why the wanted configuration is not in force, or not all of it: HAProxy's own words, or what others hold."""
    kept: bool = True
    """The file that HAProxy starts with is like this, too."""


class NetworkState(Struct, frozen=True):
    fingerprint: str = ""
    """The fingerprint of the NodeNetwork in force; empty: not set up."""
    error: str = ""
    """Why it is not in force, or not all of it: the host is not fit for new pods."""
    unresolved: str = ""
    """The peers whose present address the master does not know, in words. The ways to them are as they last were,
    and nothing is wrong with this host."""
    policies: frozenset[PodPolicy] = frozenset()
    """The policies of pods on this host that are in force."""
    repaired: str = ""
    """What somebody had changed and was last put right, in words."""
    repairs: int = 0
    """How often, since the master began: another number, another repair."""


class DnsState(Struct, frozen=True):
    """The node's name servers, as they last answered."""

    fingerprint: str = ""
    """The fingerprint of the NodeDns that both servers have in force; empty: not known."""
    error: str = ""


class BootState(Struct, frozen=True):
    """What the host has, to come up without a master."""

    kept: NodeBoot | None = None
    """None: not known."""
    error: str = ""
    """Why it is not what was asked for."""


class RepairRecord(Struct, frozen=True):
    what: str = ""
    """What somebody had changed and was last put right, in words."""
    count: int = 0
    """How often, since the master began: another number, another repair."""


class Reachable(Struct, frozen=True):
    """A host that answers."""

    facts: Facts
    containers: tuple[ObservedContainer, ...]
    """Every container with our cluster's label, by name. Foreign ones are not here."""
    images: frozenset[str] = frozenset()
    """Every tag present, as `name:tag`."""
    used_ports: Mapping[int, str] = {}
    """Host ports published by containers, ours or foreign: port -> container's name."""
    network: NetworkState = NetworkState()
    proxy: ProxyState = ProxyState()
    listening: frozenset[SocketAddress] = frozenset()
    """Ports of pods on this host that have accepted a TCP connection since their container started."""
    files: Mapping[str, str] = {}
    """`uid/volume` -> fingerprint of the ConfigMap, Secret, downward or projected volume in force there, or
    IN_MEMORY."""
    directories: frozenset[Uid] = frozenset()
    """Pods that have files or directories of ours on the host, in memory or on disk."""
    volumes: frozenset[str] | None = frozenset()
    """The Docker volumes, by name, that hold a claim's data by their labels; None: Docker has not told yet."""
    pulling: Mapping[str, str] = {}
    """Image -> how far its pull has come, in words."""
    prober_error: str = ""
    """Why the node's prober does not do what was asked; empty: it does."""
    dns: DnsState = DnsState()
    given: HostAllocations = HostAllocations()
    """What an earlier master gave out, as the host had it when the connection was made."""
    clock: float | None = None
    """What its own clock said when ours, the monotonic one, said 0, in Unix seconds, as it was when the connection
    was made; None: not known."""
    boot: BootState = BootState()
    repaired: RepairRecord = RepairRecord()
    """What was put right of our files and directories."""
    busy: frozenset[Uid] = frozenset()
    """Pods whose operations are under way, or of whose containers too little is known: they get no operation until
    that ends."""
    since: float = 0.0
    """When it began to answer without a break; monotonic seconds."""
    at: float = 0.0
    """When it was last heard of; monotonic seconds."""


class Peers(Struct, frozen=True):
    """What the other nodes found who were asked for one that is silent to us: does its kernel answer them, at its
    SSH port or at a pod's?"""

    reaching: tuple[str, ...] = ()
    """The nodes that reached it within the last seconds, by name."""
    failing: tuple[str, ...] = ()
    """The nodes that have tried for as long as it takes to be sure, and do not reach it."""
    reached_at: float = 0.0
    """When one of them reached it last; monotonic seconds. 0: never, since it is silent."""


class Unreachable(Struct, frozen=True):
    """A host that cannot be used. What runs there is unknown: `last` is the past, not the present."""

    since: float
    """Monotonic seconds."""
    why: str
    """The reason, for people, with how to fix it if that is known."""
    last: Reachable | None = None
    refused: bool = False
    """True where the host answers but must not be used: another host key, another engine."""
    answers: bool = False
    """True where the host is up, and something on it keeps us from using it: a refused login, an engine that
    hangs, sshd that does not run."""
    peers: Peers = Peers()


Observation: TypeAlias = Reachable | Unreachable


class Observed(Struct, frozen=True):
    nodes: Mapping[str, Observation]
