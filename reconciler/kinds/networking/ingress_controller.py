"""What planning does with Ingresses: who was there first is remembered, and where each is reached is said."""

from collections.abc import Iterator, Mapping, Sequence

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
from reconciler.model.plan import Status
from reconciler.model.tls import read_certificate
from reconciler.planning.controller import ClusterState, Controller
from reconciler.planning.state.nodes import NodeView


def _record(desired: Desired, memory: Memory, nodes: Sequence[NodeView]) -> Memory:
    """Give each Ingress that comes its turn; one that comes back is new.

    Where the memory is lost, the nodes' proxies tell who was there before.
    """
    known = memory.ingresses
    if known.keys() == desired.of(Ingress).keys():
        return memory
    if not known:
        known = {
            ref: IngressRecord(turn)
            for node in nodes
            if node.last
            for ref, turn in node.last.given.ingresses.items()
        }
    newest = IngressRecord(max((record.turn for record in known.values()), default=0) + 1)
    records = {ref: known.get(ref, newest) for ref in sorted(desired.of(Ingress))}
    return replace(memory, ingresses=records)


def _status(ingress: Ingress, state: ClusterState) -> Iterator[Status]:
    reached = tuple(load_balancer_ingress(one) for one in state.edges) if is_served_here(ingress) else ()
    yield replace(ingress, status=IngressStatus(LoadBalancerStatus(reached)))
    yield from _certificates(ingress, state.desired.of(Secret), state.memory.certificates)


def _certificates(
    ingress: Ingress, secrets: Mapping[Ref, Secret], issued: Mapping[Ref, IssuedCertificate]
) -> Iterator[Certificate]:
    """Yield the certificates that an Ingress uses, if it is served here; `issued` are from an ACME server."""
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


INGRESS_CONTROLLER = Controller(type=Ingress, status=_status, record=_record)
