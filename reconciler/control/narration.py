"""What a turn is worth telling people: the difference between two turns, as events. Pure."""

from collections.abc import Iterator, Mapping

from reconciler.control.cycle import Turn
from reconciler.model.acme import IssuedCertificate, Order
from reconciler.model.api.apps import REPLICATED, Replicated
from reconciler.model.api.meta import ref_of
from reconciler.model.desired import Desired, Rejected, Revision, Unavailable
from reconciler.model.names import Ref
from reconciler.model.observed import Observation, Observed, Reachable, Unreachable
from reconciler.model.plan import Action, Hold, PodChange
from reconciler.model.records import Event
from reconciler.planning import retry_delay, stays_until

SOURCE = Ref("Source", "", "desired")
"""What events about the revision itself are about."""

_REASONS: Mapping[Action, str] = {
    Action.CREATE: "Scheduled",
    Action.MOVE: "Moved",
    Action.RESTART: "Restarting",
    Action.DELETE: "Killing",
    Action.FORGET: "Forgotten",
}
_LOUD = frozenset({Action.MOVE, Action.RESTART, Action.FORGET})


def of_source(result: Desired | Rejected | Unavailable, force: Desired | None) -> Iterator[Event]:
    """A revision was read. `force` is the one in force if this one is not taken."""
    stays = f"revision {force.revision} stays in force" if force else "nothing is in force yet"
    match result:
        case Desired(revision=revision):
            yield Event(
                SOURCE,
                "Normal",
                "Accepted",
                f"revision {revision} of {revision.origin}: {revision.title}".rstrip(": "),
            )
            for warning in result.warnings:
                yield Event(SOURCE, "Warning", "Ignored", str(warning))
        case Rejected(revision=revision, problems=problems):
            yield Event(
                SOURCE, "Warning", "Rejected", f"revision {revision} has {len(problems)} problem(s); {stays}"
            )
            for problem in problems[:20]:
                yield Event(SOURCE, "Warning", "Problem", str(problem))
        case Unavailable(why=why, fix=fix):
            yield Event(SOURCE, "Warning", "Unavailable", f"{why}; {stays}" + (f" ({fix})" if fix else ""))


def of_difference(what: str) -> Event:
    """A plan of what changed was not the plan of everything: a defect of ours, that did no harm."""
    message = f"a plan of what changed differed in {what}: the whole was planned; report this with the manifests"
    return Event(SOURCE, "Warning", "PlanDiffered", message)


def of_hold(hold: Hold, force: Desired | None) -> Event:
    stays = f"revision {force.revision} stays in force" if force else "nothing is in force"
    return Event(SOURCE, "Warning", "Held", f"{hold.reason}; {stays} ({hold.fix})")


def of_turn(before: Turn | None, after: Turn) -> Iterator[Event]:
    """What was decided, and how far each workload has come since the turn before."""
    for change in after.plan.changes:
        yield _of_change(change)
    told = {unplaced.owner for unplaced in before.plan.unplaced} if before else set()
    for unplaced in after.plan.unplaced:
        if unplaced.owner not in told:
            why = "; ".join(f"{node}: {reason}" for node, reason in unplaced.reasons.items())
            yield Event(
                unplaced.owner, "Warning", "FailedScheduling", f"{unplaced.count} pod(s) fit nowhere: {why}"
            )
    earlier = before.plan.statuses if before else {}
    for ref, now in after.plan.changed_statuses.items():
        if isinstance(now, REPLICATED):
            was = earlier.get(ref)
            if was is not now and isinstance(was, REPLICATED) and _counts(was) != _counts(now):
                yield _of_progress(now)
    yield from _of_succession(before, after)
    for orphan in sorted(set(after.plan.orphans) - set(before.plan.orphans if before else ())):
        yield Event(
            SOURCE, "Warning", "Orphan", f"{orphan}: carries our label, and nothing explains it; left alone"
        )
    for problem in after.unserved:
        if before is None or problem not in before.unserved:
            yield Event(after.concerned.get(problem, SOURCE), "Warning", "NotServed", problem)
    for name, why in after.refused.items():
        if before is None or name not in before.refused:
            yield Event(Ref("Node", "", name), "Warning", "NodeNotReady", why, node=name)
    revision = after.plan.memory.revision
    if after.converged and not (before and before.converged and before.plan.memory.revision == revision):
        yield Event(SOURCE, "Normal", "Converged", f"everything is as revision {Revision(revision, '')} asks")


def _of_succession(before: Turn | None, after: Turn) -> Iterator[Event]:
    """What no manifest asks for any more, and stays until something else can take its place."""
    known = before.plan.memory.pods if before else {}
    if known is after.plan.memory.pods:
        return
    new = [pod for pod in after.plan.changed_pods.values() if pod.succeeded_by and pod.wanted == "run"]
    if not new:
        return
    told = {pod.workload for pod in known.values() if pod.succeeded_by}
    for owner in sorted({pod.workload for pod in new} - told):
        of_it = [pod for pod in new if pod.workload == owner]
        message = (
            f"{owner} is not in revision {after.revision}; what runs of it {stays_until(of_it[0].succeeded_by)}"
        )
        yield Event(owner, "Normal", "AwaitingSuccessor", message)


def of_order(order: Order) -> Iterator[Event]:
    """A certificate is asked for."""
    names = ", ".join(order.wanted.names)
    for ingress in order.wanted.ingresses:
        message = f"a certificate for {names} is asked for from {order.terms.server}"
        yield Event(ingress, "Normal", "CertificateOrdered", message)


def of_order_ended(order: Order, result: IssuedCertificate | str, failures: int) -> Iterator[Event]:
    """`failures`: in a row, with this one."""
    names = ", ".join(order.wanted.names)
    for ingress in order.wanted.ingresses:
        if isinstance(result, IssuedCertificate):
            days = (result.not_after - result.not_before) / 86400
            message = f"a certificate for {names} came from {result.server}, for {days:.0f} days"
            yield Event(ingress, "Normal", "CertificateIssued", message)
        else:
            wait = retry_delay(failures) / 60
            message = f"no certificate for {names}: {result}; tried again in {wait:.0f} min"
            yield Event(ingress, "Warning", "CertificateFailed", message)


def of_nodes(before: Observed | None, after: Observed) -> Iterator[Event]:
    """Hosts that came, went, or whose proxy or network refuses what it was given."""
    if before is after:
        return
    earlier = before.nodes if before else {}
    for name, node in after.nodes.items():
        was = earlier.get(name)
        if node is not was:
            yield from _of_node(Ref("Node", "", name), was, node)


def _of_node(ref: Ref, was: Observation | None, now: Observation) -> Iterator[Event]:
    match now:
        case Unreachable(why=why):
            if not isinstance(was, Unreachable) or was.why != why:
                yield Event(ref, "Warning", "NodeNotReady", why, node=ref.name)
        case Reachable(facts=facts):
            known = was if isinstance(was, Reachable) else None
            if known is None:
                yield Event(
                    ref, "Normal", "NodeReady", f"Docker {facts.engine_version}, {facts.cpus} CPUs", node=ref.name
                )
            yield from _of_refusals(ref, _refusals(known) if known else {}, _refusals(now))
            unresolved = now.network.unresolved
            if unresolved and (known is None or known.network.unresolved != unresolved):
                yield Event(ref, "Warning", "PeerUnresolved", unresolved, node=ref.name)
            if now.repaired.count > _files_repaired(was):
                message = f"what is ours on the host was not as it was left; put right: {now.repaired.what}"
                yield Event(ref, "Warning", "HostRepaired", message, node=ref.name)
            if now.network.repairs > _repairs(was):
                message = f"the host's network was not as it was left; put right: {now.network.repaired}"
                yield Event(ref, "Warning", "NetworkRepaired", message, node=ref.name)


def _refusals(node: Reachable) -> dict[str, str]:
    """What a host refuses, by which of its parts says so: one cause of several parts is one message."""
    parts = {
        "Boot": node.boot.error,
        "Network": node.network.error,
        "Dns": node.dns.error,
        "Proxy": node.proxy.error,
    }
    return {error: part for part, error in parts.items() if error}


def _of_refusals(ref: Ref, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Event]:
    """What is refused now and was not before; and that a part refuses nothing any more."""
    for error, part in after.items():
        if error not in before:
            yield Event(ref, "Warning", f"{part}Refused", error, node=ref.name)
    for error, part in before.items():
        if error not in after and part not in after.values():
            yield Event(ref, "Normal", f"{part}Recovered", f"no longer so: {error}", node=ref.name)


def _files_repaired(node: Observation | None) -> int:
    last = node.last if isinstance(node, Unreachable) else node
    return last.repaired.count if last is not None else 0


def _repairs(node: Observation | None) -> int:
    last = node.last if isinstance(node, Unreachable) else node
    return last.network.repairs if last is not None else 0


def _of_change(change: PodChange) -> Event:
    away = f"away from {change.from_node}: " if change.from_node else ""
    return Event(
        change.pod,
        "Warning" if change.action in _LOUD else "Normal",
        _REASONS[change.action],
        f"{away}{change.reason}",
        node=change.node,
    )


def _of_progress(workload: Replicated) -> Event:
    wanted, total, updated, _, available = _counts(workload)
    counts = f"{available}/{wanted} available, {updated} updated, {total} in all"
    reason = "Complete" if workload.is_rolled_out else "Progressing"
    return Event(ref_of(workload), "Normal", reason, counts)


def _counts(workload: Replicated) -> tuple[int, ...]:
    status = workload.status
    counts = status.replicas, status.updated_replicas, status.ready_replicas, status.available_replicas
    return workload.spec.replicas, *counts
