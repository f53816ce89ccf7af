"""Taints and tolerations: which nodes want no pods, and which want to be rid of those they have.

Rules: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
"""

from collections.abc import Sequence

from reconciler.model.api.core.node import Node, Taint
from reconciler.model.api.core.pod import PodSpec, Toleration


def untolerated(tolerations: Sequence[Toleration], node: Node) -> str:
    """Name the first taint that keeps a pod with these tolerations off the node, in words; empty: none does."""
    return next((_in_words(taint) for taint in node.spec.taints if _keeps_off(tolerations, taint)), "")


def avoided(tolerations: Sequence[Toleration], node: Node) -> int:
    """Count the taints of the node that ask, without insisting, that the pod goes elsewhere."""
    return sum(
        [taint.effect == "PreferNoSchedule" and not _tolerated(tolerations, taint) for taint in node.spec.taints]
    )


def evicted(spec: PodSpec, node: Node) -> str:
    """Name the first taint by which a pod that is on the node has to leave, in words; empty: none."""
    return next(
        (
            _in_words(taint)
            for taint in node.spec.taints
            if taint.effect == "NoExecute" and not _tolerated(spec.tolerations, taint)
        ),
        "",
    )


def _keeps_off(tolerations: Sequence[Toleration], taint: Taint) -> bool:
    return taint.effect != "PreferNoSchedule" and not _tolerated(tolerations, taint)


def _tolerated(tolerations: Sequence[Toleration], taint: Taint) -> bool:
    return any(_tolerates(one, taint) for one in tolerations)


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect not in ("", taint.effect):
        return False
    if toleration.operator == "Exists":
        return toleration.key in ("", taint.key)
    return toleration.key == taint.key and toleration.value == taint.value


def _in_words(taint: Taint) -> str:
    written = f"{taint.key}={taint.value}" if taint.value else taint.key
    return f"taint {written}:{taint.effect} is not tolerated"
