"""Ingresses: who was there first is remembered, and where they are heard is told."""

from collections.abc import Mapping, Sequence

from reconciler.model.desired import Desired
from reconciler.model.memory import IngressRecord, Memory
from reconciler.model.names import Ref
from reconciler.model.objects import Ingress, ingress_class, is_served_here, ref_of
from reconciler.model.plan import IngressStatus


def ingress_records(desired: Desired, memory: Memory) -> Mapping[Ref, IngressRecord]:
    """For each Ingress of the revision; the mapping remembered where none comes or goes. Who comes back is new."""
    known = memory.ingresses
    if known.keys() == desired.ingresses.keys():
        return known
    newest = IngressRecord(max((record.turn for record in known.values()), default=0) + 1)
    return {ref: known.get(ref, newest) for ref in sorted(desired.ingresses)}


def ingress_status(ingress: Ingress, edges: Sequence[str]) -> IngressStatus:
    """`edges` are the addresses at which the outside reaches the nodes."""
    ours = is_served_here(ingress)
    return IngressStatus(
        ref=ref_of(ingress),
        class_name=ingress_class(ingress),
        hosts=tuple(dict.fromkeys(rule.host for rule in ingress.spec.rules if rule.host)),
        addresses=tuple(edges) if ours else (),
        ports=(80, 443) if ingress.spec.tls else (80,),
        message="" if ours else "left to another controller",
    )
