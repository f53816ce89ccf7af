"""Ingresses: who was there first is remembered, and where they are heard is told."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from reconciler.model.acme import IssuedCertificate
from reconciler.model.api.core.config import Secret
from reconciler.model.api.meta import ref_of
from reconciler.model.api.networking import Ingress
from reconciler.model.desired import Desired
from reconciler.model.ingress import ingress_class, is_served_here
from reconciler.model.memory import IngressRecord, Memory
from reconciler.model.names import Ref
from reconciler.model.plan import CertificateStatus, IngressStatus
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


def ingress_status(
    ingress: Ingress,
    edges: Sequence[str],
    secrets: Mapping[Ref, Secret] = _NO_SECRETS,
    issued: Mapping[Ref, IssuedCertificate] = _NONE_ISSUED,
) -> IngressStatus:
    """`edges` are the addresses at which the outside reaches the nodes; `issued` are from an ACME server."""
    ours = is_served_here(ingress)
    return IngressStatus(
        ref=ref_of(ingress),
        class_name=ingress_class(ingress),
        hosts=tuple(dict.fromkeys(rule.host for rule in ingress.spec.rules if rule.host)),
        addresses=tuple(edges) if ours else (),
        ports=(80, 443) if ingress.spec.tls else (80,),
        message="" if ours else "left to another controller",
        certificates=dict(_certificates(ingress, secrets, issued)) if ours else {},
    )


def _certificates(
    ingress: Ingress, secrets: Mapping[Ref, Secret], issued: Mapping[Ref, IssuedCertificate]
) -> Iterator[tuple[str, CertificateStatus]]:
    for name in dict.fromkeys(tls.secret_name for tls in ingress.spec.tls if tls.secret_name):
        ref = Ref("Secret", ingress.metadata.namespace, name)
        if ref not in secrets:
            end = issued[ref].not_after if ref in issued else 0.0
            yield name, CertificateStatus(end, "" if end else "it has not been issued yet")
            continue
        read = read_certificate(secrets[ref])
        yield name, CertificateStatus(message=read) if isinstance(read, str) else CertificateStatus(read.not_after)
