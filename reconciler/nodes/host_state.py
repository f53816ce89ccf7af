"""What is known of one host at a moment, as a value, and the observation that the loop plans with. Pure.

`host_cache.py` holds the present one, and replaces it whenever something is learned.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.addresses import SocketAddress
from reconciler.model.allocations import HostAllocations
from reconciler.model.names import SYSTEM_PROXY, Uid
from reconciler.model.observed import (
    BootState,
    DnsState,
    Ended,
    Facts,
    NetworkState,
    ObservedContainer,
    Peers,
    Probed,
    ProxyState,
    Reachable,
    RepairRecord,
    Unreachable,
)
from reconciler.nodes.pods.runs import PodRun, pod_run, still_runs

NOTHING_GIVEN: Final = HostAllocations()


class HostState(Struct, frozen=True):
    """What is known of one host beside its containers."""

    lost: Unreachable | None
    """None: it answers."""
    why_lost: str = ""
    """What broke the connection, before anything is said of other nodes."""
    peers: Peers = Peers()
    """What other nodes say of it while it is silent to us."""
    since: float = 0.0
    """When it began to answer without a break; monotonic seconds."""
    recorded_at: float = 0.0
    """When its last sign of life was recorded; monotonic seconds."""
    facts: Facts | None = None
    """None: it has never been reached."""
    clock: float | None = None
    images: frozenset[str] = frozenset()
    volumes: frozenset[str] | None = None
    pulling: Mapping[str, str] = {}
    network: NetworkState = NetworkState()
    network_in_force: str = ""
    """The fingerprint of what was last applied without a complaint, also over an earlier connection."""
    proxy: ProxyState = ProxyState()
    given: HostAllocations = NOTHING_GIVEN
    dns: DnsState = DnsState()
    boot: BootState = BootState()
    prober_error: str = ""
    repaired: RepairRecord = RepairRecord()
    files: Mapping[str, str] = {}
    directories: frozenset[Uid] = frozenset()
    answers: Mapping[SocketAddress, PodRun] = {}
    """The ports of pods that have accepted a connection, each with the run of the pod that did."""
    probes: Mapping[str, tuple[str, Probed]] = {}
    """Container id -> (`ObservedContainer.run`, what the prober says of that run)."""
    detached: Mapping[str, tuple[str, str]] = {}
    """Container id -> (`ObservedContainer.run`, `ObservedContainer.detached`)."""
    busy: frozenset[Uid] = frozenset()
    """Pods whose operations are under way."""


def reachable(
    state: HostState, containers: Iterable[ObservedContainer], used_ports: Mapping[int, str]
) -> Reachable:
    """The host as its containers and the rest of the state show it; `state.facts` must be known."""
    assert state.facts is not None
    ours = sorted(containers, key=_name)
    proxy_runs = any(c.container == SYSTEM_PROXY and c.state == "running" for c in ours)
    return Reachable(
        facts=state.facts,
        containers=tuple(ours),
        images=state.images,
        used_ports=used_ports,
        network=state.network,
        proxy=replace(state.proxy, running=proxy_runs),
        listening=_listening(state.answers, ours),
        files=state.files,
        directories=state.directories,
        volumes=state.volumes,
        pulling=state.pulling,
        prober_error=state.prober_error,
        dns=state.dns,
        given=state.given,
        clock=state.clock,
        boot=state.boot,
        repaired=state.repaired,
        busy=state.busy | {one.uid for one in ours if one.uid and not one.inspected},
        since=state.since,
        at=state.recorded_at,
    )


def completed(state: HostState, container: ObservedContainer, end: Ended | None) -> ObservedContainer:
    """The container with what others than Docker's inspect say of its present run, and the end of its last one."""
    run, probed = state.probes.get(container.id, ("", None))
    probed = probed if run == container.run else None
    of_run, detached = state.detached.get(container.id, ("", ""))
    detached = detached if of_run == container.run else ""
    if end is None and probed is None and not detached:
        return container
    return replace(container, probed=probed, last_end=end, detached=detached)


def explained(why: str, answers: bool, peers: Peers) -> str:
    """Why the host was lost, and what follows from it for its pods."""
    if answers:
        return f"{why}; the host is up, so nothing is moved"
    if peers.reaching:
        names = " and ".join(peers.reaching)
        reach = f"{names} reach" if len(peers.reaching) > 1 else f"{names} reaches"
        return f"{why}; {reach} it: only the way from here is cut, so nothing is moved"
    return why


def _listening(
    answers: Mapping[SocketAddress, PodRun], containers: Sequence[ObservedContainer]
) -> frozenset[SocketAddress]:
    """The ports whose pods are still in the run that has answered there."""
    runs = {ip: pod_run(containers, ip) for ip in {at.ip for at in answers}}
    return frozenset(at for at, run in answers.items() if still_runs(run, runs[at.ip]))


def _name(container: ObservedContainer) -> str:
    return container.name
