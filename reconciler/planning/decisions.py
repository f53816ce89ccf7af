"""What a controller decides: pods that are to come, and pods that are to go."""

from collections.abc import Mapping

from msgspec import Struct

from reconciler.model.api.core.pod import PodSpec
from reconciler.model.names import Ref, Uid
from reconciler.model.plan import Action


class PodToCreate(Struct, frozen=True):
    """A pod to be given to a node."""

    owner: Ref
    """The object that it is to exist for: its Deployment, or the bare Pod itself."""
    hash: str
    spec: PodSpec
    labels: dict[str, str]
    action: Action
    reason: str
    moved: Uid = ""
    """The pod on the lost node that this one is moved from: it leaves once this one has a place."""
    from_node: str = ""
    name: str = ""
    """The name of a pod that is one of a kind: there are never two of the name, wherever one may still run. Empty
    for one of many alike: its name follows from its owner, its template, and how many pods there were before."""


class PodToDelete(Struct, frozen=True):
    """A pod to be taken out of rotation, stopped and removed."""

    uid: Uid
    action: Action
    reason: str


class Decision(Struct, frozen=True):
    """What is decided about the pods of one object, or of all."""

    wanted: tuple[PodToCreate, ...] = ()
    leaving: tuple[PodToDelete, ...] = ()
    staying: Mapping[Uid, tuple[Ref, ...]] = {}
    """Pods that no manifest asks for, which stay until these can do without them."""
    wake_at: float | None = None
    """When one of these may be able to."""


UNCHANGED = Decision()
