"""Nodes: which answer, which are lost, and what is remembered of each from the first time it is seen."""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.cluster import ClusterSpec, NodeLifecycle
from reconciler.model.api.core.node import Node
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory, NodeRecord
from reconciler.model.observed import Observation, Observed, Reachable, Unreachable
from reconciler.planning.allocation.pod_ips import TakenCidrs, node_cidrs

FRESH_BEATS = 1.5
"""A node that was last heard of longer ago, in heartbeats, may have fallen silent without our knowing yet."""
LOOK_AGAIN_SECONDS = 0.5
"""After how long a verdict is asked for again that hangs on such a node."""
UNASKED_SECONDS = 10.0
"""A node is given at least so long where no other node can be asked whether it reaches it."""
_UNSEEN = "no connection has been made yet"


class NodeView(Struct, frozen=True):
    """A node as this plan judges it."""

    name: str
    manifest: Node
    record: NodeRecord
    answers: Reachable | None
    """What it says now; None: unknown."""
    last: Reachable | None
    """What it said last; the same as `answers` where it answers."""
    silent: Unreachable | None
    lost: bool
    """Silent for so long that its Deployment pods are replaced elsewhere."""
    lost_at: float | None = None
    """When the node will be lost, if it stays silent."""


def routed_sets(nodes: Iterable[NodeView]) -> list[frozenset[str]]:
    """The different sets of pod addresses that proxies of answering nodes send new connections to.

    Nodes that serve alike share one."""
    sets = (node.answers.proxy.routed for node in nodes if node.answers is not None)
    return list({id(one): one for one in sets}.values())


def view_nodes(desired: Desired, observed: Observed, memory: Memory, now: float) -> dict[str, NodeView]:
    """Every node of the revision, by name in order."""
    names = sorted(desired.nodes)
    seen = {name: observed.nodes.get(name) or Unreachable(now, _UNSEEN) for name in names}
    records = _records(desired, memory, names, seen)
    trusted = _trust(seen, records)
    rules = desired.cluster.spec.nodes
    calm = _calm(trusted, desired.cluster.spec, now)
    views = {}
    for name in names:
        observation, manifest, record = trusted[name], desired.nodes[name], records[name]
        if isinstance(observation, Reachable):
            facts = observation.facts
            found = replace(
                record,
                engine_id=record.engine_id or facts.engine_id,
                address=facts.address or record.address,
                ssh=manifest.ssh,
                host_key=manifest.host_key,
                hidden=False,
            )
            record = record if found == record else found
            views[name] = NodeView(name, manifest, record, observation, observation, None, False)
        else:
            lost_at = _lost_at(observation, calm, rules)
            views[name] = NodeView(
                name,
                manifest,
                record,
                None,
                observation.last,
                observation,
                lost=lost_at is not None and now >= lost_at,
                lost_at=lost_at if lost_at is not None and now < lost_at else None,
            )
    return views


class _Calm(Struct, frozen=True):
    """So few nodes are silent that the fault is theirs and not ours."""

    since: float
    not_before: float = 0.0
    """A verdict hangs on nodes that may have fallen silent without our knowing yet."""


def _lost_at(silent: Unreachable, calm: _Calm | None, rules: NodeLifecycle) -> float | None:
    """When a node counts as lost, if nobody hears of it before; None: not while things are as they are.

    A node that answers is not down, whatever keeps us from using it; and one that another node reaches is cut off
    from us alone, so it is as if we had heard of it."""
    if calm is None or silent.refused or silent.answers:
        return None
    heard = max(silent.since, silent.peers.reached_at, calm.since)
    sure = bool(silent.peers.failing)
    patience = rules.lost_after_seconds if sure else max(rules.lost_after_seconds, UNASKED_SECONDS)
    return max(heard + patience, calm.not_before)


def _calm(seen: Mapping[str, Observation], spec: ClusterSpec, now: float) -> _Calm | None:
    """None: too many nodes are silent. One that answers, though it cannot be used, is not.

    In a large outage nodes fall silent, and come back, one by one. So one that was not heard of since its last
    heartbeat was due vouches for nothing until it is; and the last ones to return get their full time to answer.
    """
    may_be_silent = len(seen) * spec.nodes.max_lost_percent // 100
    answering = [one for one in seen.values() if isinstance(one, Reachable)]
    up = sum(isinstance(one, Unreachable) and one.answers for one in seen.values())
    if len(seen) - len(answering) - up > may_be_silent:
        return None
    due = now - FRESH_BEATS * spec.sync.heartbeat_seconds
    vouching = sorted((one.since for one in answering if one.at >= due), reverse=True)
    spare = may_be_silent - (len(seen) - up - len(vouching))
    if spare < 0:
        return _Calm(0.0, now + LOOK_AGAIN_SECONDS)
    return _Calm(vouching[spare] if spare < len(vouching) else 0.0)


def _records(
    desired: Desired, memory: Memory, names: list[str], seen: Mapping[str, Observation]
) -> Mapping[str, NodeRecord]:
    """Those remembered. What a host's pod network has is never changed, whatever is remembered, unless another
    host has it too: pods are on it. A node gets a pod CIDR when it is seen first, or by its manifest."""
    known = memory.nodes
    last = {name: one if isinstance(one, Reachable) else one.last for name, one in seen.items()}
    there = {name: cidr for name in names if (cidr := _given_cidr(last[name], known.get(name)))}
    before = {name: record.pod_cidr for name, record in known.items() if record.pod_cidr}
    if all(there.get(name, before.get(name)) == before.get(name) for name in names) and before.keys() >= set(
        names
    ):
        return known
    kept = {name: cidr for name, cidr in before.items() if there.get(name, cidr) == cidr}
    taken = TakenCidrs(kept.values())
    for name in names:
        if name not in kept:
            fitting = (cidr for cidr in (there.get(name), before.get(name)) if cidr and taken.take(cidr))
            if cidr := next(fitting, ""):
                kept[name] = cidr
    missing = [
        name
        for name in names
        if name not in kept and (last[name] is not None or desired.nodes[name].spec.pod_cidr)
    ]
    kept |= node_cidrs(desired, missing, kept.values())
    late = not memory.revision and any(one.uid for each in last.values() if each for one in each.containers)
    records = {
        name: known.get(name) or NodeRecord(name, hidden=late and last.get(name) is None)
        for name in {**known, **dict.fromkeys(names)}
    }
    return {
        name: record if record.pod_cidr == kept.get(name, "") else replace(record, pod_cidr=kept.get(name, ""))
        for name, record in records.items()
    }


def _given_cidr(last: Reachable | None, record: NodeRecord | None) -> str:
    """The subnet of the host's pod network; empty: it has none, or is not the host that is remembered."""
    if last is None:
        return ""
    same = record is None or record.engine_id in ("", last.facts.engine_id)
    return last.given.pod_cidr if same else ""


def _trust(seen: Mapping[str, Observation], records: Mapping[str, NodeRecord]) -> dict[str, Observation]:
    """Another engine than the one remembered, or one that another node has already, is not the node we know."""
    owners = {records[name].engine_id: name for name in sorted(seen, reverse=True) if records[name].engine_id}
    trusted: dict[str, Observation] = {}
    for name, observation in seen.items():
        if isinstance(observation, Reachable) and (engine := observation.facts.engine_id):
            known = records[name].engine_id or engine
            owner = owners.setdefault(engine, name)
            if known != engine:
                why = (
                    f"another Docker engine answers than before: `reconciler node reset {name} SOURCE` accepts it"
                )
                observation = Unreachable(observation.at, why, refused=True)
            elif owner != name:
                why = f"the same host as node {owner}: give each host one Node"
                observation = Unreachable(observation.at, why, refused=True)
        trusted[name] = observation
    return trusted
