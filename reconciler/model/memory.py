"""What no host can tell us, and so must be remembered. The store keeps it; planning alone changes it.

A plan carries the memory that is to be stored *before* its first operation: intent first, effect second.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from reconciler.model.acme import AcmeAccount, IssuedCertificate, OrderTry
from reconciler.model.api.core.node import SshAddress
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Json
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Ended


class PodIntent(Struct, frozen=True, gc=False):
    """One pod, and the node it was given to. It stands from before the first call until nothing is left of it."""

    uid: Uid
    namespace: str
    name: str
    node: str
    hash: str
    revision: str
    ip: str = ""
    """Its address on the pod network, chosen by us: it stays the same over container restarts."""
    owner: Ref | None = None
    labels: Mapping[str, str] = {}
    spec: PodSpec | None = None
    """None: adopted from a host, of a template that is no longer known."""
    wanted: Literal["run", "leave"] = "run"
    """`leave`: to be taken out of rotation, stopped and removed; never reversed."""
    reason: str = ""
    """Why it leaves, in words."""
    succeeded_by: tuple[Ref, ...] = ()
    """No manifest asks for it any more, and these come in its place: it stays until they can do without it."""
    ended: Literal["", "Succeeded", "Failed"] = ""
    """It ran to its end, and is never started again, even if nothing of it is left on its host."""
    end_reason: str = ""
    """Kubernetes' own word for that end, where there is one: DeadlineExceeded, Evicted…"""

    @property
    def ref(self) -> Ref:
        return Ref("Pod", self.namespace, self.name)

    @property
    def workload(self) -> Ref:
        """The object that the pod exists for: its owner, or the bare Pod itself."""
        return self.owner or self.ref


class TemplateRevision(Struct, frozen=True):
    """One version of the template that the pods of an object are made from, or were."""

    hash: str
    """`Template.hash`: what tells its pods from those of the object's other templates."""
    number: int
    """Counted up for each object: the template in force last has the highest. One that returns is counted anew."""
    spec: PodSpec | None = None
    """None: all that is known of it is that a pod was made from it."""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    settled: bool = False
    """Its rollout has come to its end, of an object to which that matters: all pods were of it at once."""


class NodeRecord(Struct, frozen=True):
    """What is fixed for a node from the first time it was seen."""

    name: str
    engine_id: str = ""
    """Docker's own id of the engine; another one at the same address is refused. Empty: not seen yet."""
    pod_cidr: str = ""
    last_ip: int = 0
    """Offset in the pod CIDR of the address given last: addresses are reused as late as possible."""
    address: str = ""
    """Where it was reached last, for a Node that has a name in the place of an address. Empty: not seen yet."""
    ssh: SshAddress | None = None
    host_key: str = ""
    """Both as its manifest had them last: what it takes to reset a host that is no Node any more."""
    hidden: bool = False
    """It did not answer when this state began, among hosts that had pods already: what runs there is not known."""


class ServiceRecord(Struct, frozen=True):
    cluster_ip: str = ""
    node_ports: tuple[int, ...] = ()
    """The node ports in the order of the Service's ports; 0 where there is none."""
    message: str = ""
    """Why it has not got an address or a port that it asks for, and how to get one."""


class IngressRecord(Struct, frozen=True):
    turn: int
    """The number of the revision it came with, counted up: of two that claim one host and path, the lower one has
    it."""


class ClaimRecord(Struct, frozen=True):
    """Where a claim's data is. Kept when the claim goes, so that one of the same name finds it again."""

    node: str
    volume: str
    """The Docker volume's name."""
    delete: bool = False
    """Its reclaim policy: the data goes with the claim."""
    owner: Ref | None = None
    """The object that the claim came with; None for a claim of a manifest."""
    delete_with_owner: bool = False
    """What becomes of the data when that object goes, and the claim with it."""


class RestartRecord(Struct, frozen=True, gc=False):
    """What is counted of one container of a pod over its runs."""

    restarts: int = 0
    """How often it was restarted, as `kubectl get pods` counts."""
    run: str = ""
    """`ObservedContainer.run` of the run counted last."""
    last_end: Ended | None = None
    """How the run before the present one ended."""
    sandbox: str = ""
    """`ObservedContainer.run` of the pod's sandbox whose network that run is in; empty: none, or not known."""
    by_docker: int | None = None
    """Docker's own count of its restarts up to that run, since we last started the container; None: not known."""


class Crashes(Struct, frozen=True):
    """Why a container is not started again at once. Not stored: a restart of the master tries again at once.

    Rule: the first restart is at once, then after 10 s, 20 s, 40 s … 5 min; ten minutes of running forget it.
    """

    failures: int
    not_before: float
    """Monotonic seconds."""
    since: float
    """Monotonic seconds: since when it has been running, or has ended."""
    run: str = ""
    """`ObservedContainer.run` of the run whose end was counted last."""


class Backoff(Struct, frozen=True):
    """A step that failed, and when it may be tried again. Not stored: a restart tries again at once."""

    failures: int
    not_before: float
    """Monotonic seconds."""
    message: str
    reason: str = ""
    """Kubernetes' own word for it: ErrImagePull, CreateContainerError…"""
    about: str = ""
    """The image, or the container by its name in the pod, that it failed with; empty: neither."""


class Draining(Struct, frozen=True):
    """How far a pod that leaves has come: a proxy that cannot let go of it delays its end only so long."""

    since: float
    """Monotonic seconds."""
    let_go: float | None = None
    """Since when no proxy sends it new connections; None: one does."""


class Memory(Struct, frozen=True):
    """Replaced as a whole by the plan; unchanged parts are the same objects, so the store writes what changed."""

    pods: Mapping[Uid, PodIntent] = {}
    nodes: Mapping[str, NodeRecord] = {}
    services: Mapping[Ref, ServiceRecord] = {}
    ingresses: Mapping[Ref, IngressRecord] = {}
    claims: Mapping[Ref, ClaimRecord] = {}
    accounts: Mapping[str, AcmeAccount] = {}
    """The accounts with ACME servers, by the URL of the server's directory."""
    certificates: Mapping[Ref, IssuedCertificate] = {}
    """The certificates that were issued, by the Secret that each stands for."""
    runs: Mapping[Uid, Mapping[str, RestartRecord]] = {}
    """What is counted of each container, by pod and container, the sandbox too."""
    incarnations: Mapping[Ref, int] = {}
    """How many pods were ever made for a Pod or a Deployment: the next one's number is this."""
    template_revisions: Mapping[Ref, tuple[TemplateRevision, ...]] = {}
    """The templates of each object that pods exist for, if its kind keeps a history: the lowest number first."""
    applied: Mapping[Ref, Json] = {}
    """The manifests of the revision last planned (Secrets as fingerprints): what a change is shown against."""
    revision: str = ""
    """The revision last planned."""
    backoffs: Mapping[Uid, Backoff] = {}
    """Volatile; written by the control loop from the outcome of operations: what holds off all of a pod."""
    ready_since: Mapping[Uid, float] = {}
    """Volatile; monotonic seconds: for minReadySeconds."""
    leaving: Mapping[Uid, Draining] = {}
    """Volatile."""
    orders: Mapping[Ref, OrderTry] = {}
    """Volatile; by the Secret that stands for the certificate."""
    crashes: Mapping[Uid, Mapping[str, Crashes]] = {}
    """Volatile; by pod and container."""
    failures: Mapping[Uid, Mapping[str, Backoff]] = {}
    """Volatile: what holds off one container of a pod (by its name) or one image (`image:NAME`), and no other."""
    started: Mapping[Uid, float] = {}
    """Volatile; monotonic seconds: when each pod was first seen to run, for activeDeadlineSeconds."""
