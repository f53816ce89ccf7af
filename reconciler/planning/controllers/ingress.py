"""Ingresses: who was there first is remembered, and where they are heard is told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from reconciler.model.acme import IssuedCertificate
from reconciler.model.api.certificates import Certificate, CertificateStatus
from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.service import LoadBalancerStatus, load_balancer_ingress
from reconciler.model.api.meta import Condition, ObjectMeta
from reconciler.model.api.networking import Ingress, IngressStatus
from reconciler.model.desired import Desired
from reconciler.model.ingress import is_served_here
from reconciler.model.memory import IngressRecord, Memory
from reconciler.model.moments import rfc3339
from reconciler.model.names import Ref
from reconciler.model.tls import read_certificate
from reconciler.planning.state.nodes import NodeView

_NO_SECRETS: Final[Mapping[Ref, Secret]] = {}
_NONE_ISSUED: Final[Mapping[Ref, IssuedCertificate]] = {}


def ingress_records(
    desired: Desired, memory: Memory, nodes: Iterable[NodeView] = ()
) -> Mapping[Ref, IngressRecord]:
    """For each Ingress of the revision; the mapping remembered where none comes or goes. Who comes back is new.

    Where the memory is lost, the nodes' proxies tell who was there before."""
    known = memory.ingresses
    if known.keys() == desired.of(Ingress).keys():
        return known
    if not known:
        known = {
            ref: IngressRecord(turn)
            for node in nodes
            if node.last
            for ref, turn in node.last.given.ingresses.items()
        }
    newest = IngressRecord(max((record.turn for record in known.values()), default=0) + 1)
    return {ref: known.get(ref, newest) for ref in sorted(desired.of(Ingress))}


def ingress_with_status(ingress: Ingress, edges: Sequence[str]) -> Ingress:
    """`edges` are the addresses at which the outside reaches the nodes."""
    heard = tuple(load_balancer_ingress(one) for one in edges) if is_served_here(ingress) else ()
    return replace(ingress, status=IngressStatus(LoadBalancerStatus(heard)))


def certificates_of(
    ingress: Ingress,
    secrets: Mapping[Ref, Secret] = _NO_SECRETS,
    issued: Mapping[Ref, IssuedCertificate] = _NONE_ISSUED,
) -> Iterator[Certificate]:
    """The certificates that an Ingress uses, if it is served here; `issued` are from an ACME server."""
    if not is_served_here(ingress):
        return
    namespace = ingress.metadata.namespace
    for name in dict.fromkeys(tls.secret_name for tls in ingress.spec.tls if tls.secret_name):
        ref = Ref("Secret", namespace, name)
        if ref in secrets:
            read = read_certificate(secrets[ref])
            end, why = (0.0, read) if isinstance(read, str) else (read.not_after, "")
        else:
            end = issued[ref].not_after if ref in issued else 0.0
            why = "" if end else "it has not been issued yet"
        ready = Condition("Ready", "True" if end else "False", message=why)
        yield Certificate(ObjectMeta(name, namespace), CertificateStatus(rfc3339(end), (ready,)))
