"""What is: everything that a plan starts from, worked out once before anything is decided.

`view_world` makes one; the phases of `planning.plan` take it as one value, and what was decided
(`planning.decided`) as another. No phase changes it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.clock import Clock
from reconciler.model.desired import Desired
from reconciler.model.memory import ClaimRecord, Memory, PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.observed import Observed
from reconciler.planning.controller import Controllers
from reconciler.planning.controllers.endpoints import Backend, select
from reconciler.planning.diff import Comparisons
from reconciler.planning.kubelet.draining import Rotation, is_gone, rotation_of
from reconciler.planning.options import Options
from reconciler.planning.scheduling.node_info import Snapshot, snapshot_of
from reconciler.planning.state.adoption import Adopted, adopt, incarnations
from reconciler.planning.state.completion import done_elsewhere, with_ends
from reconciler.planning.state.nodes import NodeView, view_nodes
from reconciler.planning.state.pods import PodView, by_owner, ready_since, view_pods
from reconciler.planning.state.templates import brought_up_to_date
from reconciler.planning.state.volume_binding import claim_records, volumes_found
from reconciler.planning.workload import Owned, Workloads, pod_templates


class Rules(Struct, frozen=True):
    """What a plan follows beside the revision."""

    workloads: Workloads
    """The kinds of objects that pods exist for."""
    controllers: Controllers
    """The controllers of the kinds of objects that no pods exist for."""
    comparisons: Comparisons
    """How the changes of objects are told."""
    options: Options = Options()
    """What the person who started the run allows."""


class Beside(Struct, frozen=True):
    """What a plan of a part of a cluster has to know of the rest of it."""

    nodes: Mapping[str, NodeView]
    """The nodes of the part, each as it is judged among all nodes, with what it has of the pods of the part."""
    rotation: Rotation
    """The pods that the proxies of all nodes know."""
    snapshot: Callable[[Mapping[Uid, PodIntent]], Snapshot]
    """Returns all nodes as the scheduler sees them, where the pods of the part are these."""


class World(Struct, frozen=True, dict=True):
    """What is, at one moment: the revision wanted, the hosts as they are, and what is remembered of both."""

    desired: Desired
    memory: Memory
    """What is remembered, with a number of incarnations for each owner whose pods were taken over."""
    clock: Clock
    """The instant of which all this is."""
    rules: Rules
    nodes: Mapping[str, NodeView]
    """Every node of the revision, by its name and in the order of names."""
    adopted: Adopted
    """Which container on which host belongs to which pod."""
    pods: Mapping[Uid, PodView]
    """Every pod on a node of the revision, but those that leave and of which nothing is left."""
    done: Mapping[Uid, PodIntent]
    """Pods that ran to their end on a node that the revision does not have any more."""
    ready_since: Mapping[Uid, float]
    """Since when each pod has been ready without a break, in monotonic seconds."""
    started: Mapping[Uid, float]
    """When each pod with a deadline was first seen to run, in monotonic seconds."""
    deadlines: Sequence[tuple[Ref, float]]
    """The deadlines to come, with the owner of the pod that has each."""
    backends: Mapping[Ref, Sequence[Backend]]
    """The pods behind each Service with a selector."""
    rotation: Rotation
    """The pods that the proxies of all nodes know."""
    snapshot: Callable[[Mapping[Uid, PodIntent]], Snapshot]
    """Returns all nodes as the scheduler sees them, where the pods of the world are these."""

    @property
    def now(self) -> float:
        """Return the moment in monotonic seconds, of the same clock as every other time in here."""
        return self.clock.monotonic

    @cached_property
    def owned(self) -> Mapping[Ref, Sequence[PodView]]:
        """The pods by the object that each exists for."""
        return by_owner(self.pods.values())

    @cached_property
    def volumes(self) -> Mapping[str, Sequence[str]]:
        """The nodes that have the Docker volume of each claim, by the volume's name."""
        return volumes_found(self.nodes)

    @cached_property
    def claims(self) -> Mapping[Ref, ClaimRecord]:
        """Where the data of each claim is, as far as that is decided."""
        return claim_records(self.desired, self.memory.claims, self.adopted.pods, self.volumes)

    @cached_property
    def done_owners(self) -> frozenset[Ref]:
        """The objects that a pod ran to its end for, on a node that the revision does not have any more."""
        return frozenset(intent.workload for intent in self.done.values())

    def owned_by(self, ref: Ref, pods: Sequence[PodView], *, ousted: bool = False) -> Owned[Any]:
        """Return one object of a workload with these pods of it."""
        thing = self.desired.get(ref)
        assert thing is not None, f"{ref} has a template and is not in the revision"
        template = self.desired.templates[ref]
        revisions = self.memory.template_revisions.get(ref, ())
        done = ref in self.done_owners
        return Owned(ref, thing, template, pods, self.ready_since, self.now, ousted, done, revisions)


def view_world(
    desired: Desired,
    observed: Observed,
    memory: Memory,
    clock: Clock,
    rules: Rules,
    beside: Beside | None = None,
) -> World:
    """Work out what is. `beside` is given where these inputs are a part of a cluster's: the rest of it."""
    now = clock.monotonic
    nodes = beside.nodes if beside is not None else view_nodes(desired, observed, memory, now)
    templates = pod_templates(desired, rules.workloads)
    known = brought_up_to_date(memory.pods, templates)
    adopted = adopt(desired.cluster.metadata.name, templates, nodes, known, memory.runs)
    hidden = desired.templates if any(node.record.hidden for node in nodes.values()) else ()
    if hidden or adopted.pods is not known:
        numbers = incarnations(memory.incarnations, adopted.pods.values(), hidden)
        memory = memory if numbers is memory.incarnations else replace(memory, incarnations=numbers)
    backends, checks = select(desired, adopted.pods)
    seen = view_pods(adopted.pods, adopted.containers, nodes, checks, memory, desired)
    ends = with_ends(seen, memory, now)
    pods = {uid: pod for uid, pod in ends.pods.items() if pod.intent.wanted == "run" or not is_gone(pod)}
    return World(
        desired,
        memory,
        clock,
        rules,
        nodes,
        adopted,
        pods,
        done_elsewhere(desired, adopted.pods, nodes),
        ready_since(pods, memory, now),
        ends.started,
        ends.due,
        backends,
        beside.rotation if beside is not None else rotation_of(nodes.values()),
        beside.snapshot if beside is not None else partial(snapshot_of, nodes, remembered=memory.pods),
    )
