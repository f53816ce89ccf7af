"""VolumeBinding: a pod goes where the data of its claims is, and nowhere while that is not known.

Rule: https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode (WaitForFirstConsumer)
"""

from msgspec import Struct

from reconciler.planning.decisions import PodToCreate
from reconciler.planning.scheduling.framework import Candidates, CycleState, Filter, Plugin
from reconciler.planning.scheduling.node_info import NodeInfo
from reconciler.planning.state.nodes import NodeView
from reconciler.planning.state.volume_binding import claims_of, undecided


class _Home(Struct, frozen=True):
    """A claim whose data is on a node."""

    claim: str
    node: str
    trouble: str
    """What is wrong with that node, as the end of a sentence; empty: nothing is."""


class _PodClaims(Struct, frozen=True):
    """What is known of the claims of a pod."""

    homes: tuple[_Home, ...] = ()
    undecided: str = ""
    """Why a claim must not be bound yet, in words."""


def _claims(pod: PodToCreate, cycle: CycleState) -> _PodClaims | None:
    refs = claims_of(pod.owner.namespace, pod.spec)
    if not refs:
        return None
    unbound = [ref for ref in refs if ref not in cycle.claims]
    for ref in unbound:
        if why := undecided(cycle.cluster, ref, cycle.unlisted, cycle.volumes):
            return _PodClaims(undecided=why)
    bound = [(ref.name, cycle.claims[ref].node) for ref in refs if ref in cycle.claims]
    return _PodClaims(tuple([_Home(name, node, _trouble(cycle.nodes.get(node))) for name, node in bound]))


def _trouble(home: NodeView | None) -> str:
    if home is None:
        return ", which is not in this revision"
    return ", which is unreachable" if home.silent else ""


def _candidates(claims: _PodClaims) -> Candidates | None:
    if claims.undecided:
        return Candidates(frozenset())
    if not claims.homes:
        return None
    first, *others = claims.homes
    together = all(home.node == first.node for home in others)
    return Candidates(frozenset([first.node] if together else []), f"its claim {first.claim} has its data there")


def _why(claims: _PodClaims, node: NodeInfo) -> str:
    if claims.undecided:
        return claims.undecided
    for home in claims.homes:
        if home.node != node.name:
            return f"its claim {home.claim} has its data on {home.node}{home.trouble}"
    return ""


VOLUME_BINDING = Plugin("VolumeBinding", _claims, candidates=_candidates, filter=Filter(_why))
