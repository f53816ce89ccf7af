"""Whether certificates that an Ingress has issued could be: by whom, for which hosts, and under which name."""

from collections.abc import Iterator
from typing import Final

from reconciler.manifests.across.index import Index
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.networking import Ingress
from reconciler.model.certificates import issues, rule_hosts
from reconciler.model.names import GROUP, Ref

_AT: Final[Pointer] = ("metadata", "annotations", f"{GROUP}/acme")


def check_issuing(ingress: Ingress, index: Index) -> Iterator[Finding]:
    """Errors of an Ingress that is served here, and whose certificates could not be issued."""
    if not issues(ingress):
        return
    clusters = [manifest.object for manifest in index.of(Cluster).values()]
    if not any(cluster.spec.acme for cluster in clusters) and index.lacks_more("Cluster"):
        message = "the Cluster names nobody who issues certificates"
        yield Finding(_AT, Code.MISSING_FIELD, message, "give it spec.acme.server, or remove this annotation")
    if not ingress.spec.tls:
        message = "certificates are issued for the hosts of spec.tls, and there are none"
        yield Finding(_AT, Code.MISSING_FIELD, message, "add spec.tls with hosts and a secretName")
    for number, tls in enumerate(ingress.spec.tls):
        at: Pointer = ("spec", "tls", number)
        if not tls.secret_name:
            message = "the certificate to be issued has no name"
            yield Finding(at, Code.MISSING_FIELD, message, "add secretName: it is kept under that")
        elif Ref("Secret", ingress.metadata.namespace, tls.secret_name) not in index.objects:
            yield from _hosts(tls.hosts or rule_hosts(ingress), at)


def _hosts(hosts: tuple[str, ...], at: Pointer) -> Iterator[Finding]:
    """Rule: a wildcard is validated through DNS alone (RFC 8555, 7.1.3, and the server's own word)."""
    if not hosts:
        yield Finding(at, Code.MISSING_FIELD, "a certificate is issued for hosts, and there is none", "add hosts")
    for host in hosts:
        if host.startswith("*."):
            message = f"no certificate can be issued for {host} by HTTP-01"
            fix = "write out the hosts, or keep a certificate in a Secret of this name"
            yield Finding(at, Code.INVALID_VALUE, message, fix)
