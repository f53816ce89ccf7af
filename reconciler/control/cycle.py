"""One turn of the loop: desired, observed and memory make a plan; the plan makes setups and work."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from reconciler.control.hosts import Hosts
from reconciler.model.clock import Clock
from reconciler.model.desired import Desired, Revision
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.observed import Observed, Reachable
from reconciler.model.operations import PodWork, StartContainer
from reconciler.model.plan import Plan
from reconciler.model.setups import NodeSetup
from reconciler.planning import NO_ORDERS, DueOrders, Rules, certificates_due, plan
from reconciler.services import ServiceLayer


class Turn(Struct, frozen=True):
    revision: Revision
    plan: Plan
    setups: Mapping[str, NodeSetup]
    """What every reachable node should have beside its pods."""
    work: tuple[PodWork, ...]
    """The plan's work on the nodes whose pod network stands, policies included; the others' waits for it."""
    converged: bool = False
    """The plan is, and every host that can be reached serves what follows from it."""
    kept: bool = False
    """Every host that can be reached would come up like this without a master."""
    unserved: tuple[str, ...] = ()
    """Services and endpoints that the service layer leaves out, with the reason."""
    concerned: Mapping[str, Ref] = {}
    """The object that something unserved is about, where it is known."""
    due: DueOrders = NO_ORDERS
    """Certificates to order now: where the edges that can be reached answer the challenges."""
    refused: Mapping[str, str] = {}
    """Nodes that answer and are not the ones we know, with the reason: nothing is sent to them."""


def turn(
    desired: Desired,
    observed: Observed,
    memory: Memory,
    clock: Clock,
    rules: Rules,
    layer: ServiceLayer,
    make_plan: Callable[[Desired, Observed, Memory, Clock, Rules], Plan] = plan,
    hosts: Hosts | None = None,
) -> Turn:
    """Pure: what `run` carries out and what `diff` prints come from here and nowhere else.

    `make_plan` is `plan`, or a planner's way to the same plan at the cost of what changed; so is `hosts`.
    What hosts serve follows from the hour, as certificates end; all else from the monotonic clock.
    """
    planned = make_plan(desired, observed, memory, clock, rules)
    if planned.hold is not None:
        return Turn(revision=desired.revision, plan=planned, setups={}, work=())
    setups = layer.setups(desired, planned.memory, planned.endpoints, planned.probed, planned.booting, clock.hour)
    hosts = hosts or Hosts()
    stand = hosts.standings(desired, observed, planned.statuses, setups)
    return Turn(
        revision=desired.revision,
        plan=planned,
        setups=stand.setups,
        work=tuple(work for work in planned.work if _is_ready_for(observed, work, setups, planned.memory)),
        converged=planned.converged and not stand.unserved,
        kept=not stand.unkept,
        unserved=layer.problems,
        concerned=layer.concerned,
        due=certificates_due(desired, planned.memory, clock) if stand.edges_serve else NO_ORDERS,
        refused=stand.refused,
    )


def _is_ready_for(observed: Observed, work: PodWork, setups: Mapping[str, NodeSetup], memory: Memory) -> bool:
    """No container of an isolated pod starts before its policies are in force."""
    node, setup = observed.nodes[work.node], setups.get(work.node)
    if not isinstance(node, Reachable) or not node.network.fingerprint:
        return False
    isolated = setup.network.policy.pods if setup is not None else ()
    if not isolated or not any(isinstance(operation, StartContainer) for operation in work.operations):
        return True
    pod = memory.pods.get(work.uid)
    return all(policy in node.network.policies for policy in isolated if pod is not None and policy.ip == pod.ip)
