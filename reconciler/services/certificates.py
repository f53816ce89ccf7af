"""Which certificate a host is answered with: the Secrets of all Ingresses, read and judged. Pure.

A certificate that HAProxy refuses would keep its whole configuration from being loaded, so nothing of a Secret
goes on as it is: what was understood is written anew, and what was not is told of. The clock comes in as a value.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.api.core.config import Secret
from reconciler.model.api.networking import Ingress, IngressTLS
from reconciler.model.memory import IngressRecord
from reconciler.model.names import Ref
from reconciler.model.tls import TLSCertificate, read_certificate
from reconciler.services.ingress import covers, in_order

LATE_SECONDS: Final = 3600.0
"""`at` may be so much late: a certificate that was just issued is valid."""
_NONE_AWAITED: Final[Mapping[Ref, str]] = {}


class Certificates(Struct, frozen=True):
    by_host: Mapping[str, Ref] = {}
    """The Secret for each host that has one; under the empty name, the one for every other host."""
    held: Mapping[Ref, TLSCertificate] = {}
    """The certificates that are used."""
    problems: Mapping[str, Ref] = {}
    """What is wrong with a certificate, for which host, and how to fix it -> the Ingress that names it."""


def certificates(
    ingresses: Mapping[Ref, Ingress],
    secrets: Mapping[Ref, Secret],
    records: Mapping[Ref, IngressRecord],
    at: float | None,
    awaited: Mapping[Ref, str] = _NONE_AWAITED,
) -> Certificates:
    """`at` is Unix seconds; None: no date is looked at. `awaited`: who issues what is not there yet.

    For each host the first certificate without a flaw, in the order in which the Ingresses came; one that has
    expired, or is another host's, is better than none."""
    chosen: dict[str, tuple[str, Ref]] = {}
    held: dict[Ref, TLSCertificate] = {}
    problems: dict[str, Ref] = {}
    for ref, ingress in in_order(ingresses, records):
        for tls in ingress.spec.tls:
            if not tls.secret_name:
                continue
            name = Ref("Secret", ref.namespace, tls.secret_name)
            if name in awaited:
                problems[f"{ref} has no certificate of {name} yet: it is awaited from {awaited[name]}"] = ref
                continue
            fix = f"renew {name}"
            certificate = read_certificate(secrets.get(name))
            if isinstance(certificate, str):
                problems[f"{ref} has no certificate of {name}: {certificate}; {fix}"] = ref
                continue
            held[name] = certificate
            for host in _hosts(ingress, tls):
                flaw = _flaw(certificate, host, at)
                if flaw:
                    problems[f"{ref}: the certificate of {name} {flaw}; {fix}"] = ref
                if host not in chosen or (chosen[host][0] and not flaw):
                    chosen[host] = flaw, name
    by_host = {host: name for host, (_, name) in sorted(chosen.items())}
    return Certificates(by_host, {name: held[name] for name in sorted(set(by_host.values()))}, problems)


def _hosts(ingress: Ingress, tls: IngressTLS) -> tuple[str, ...]:
    return tls.hosts or tuple(dict.fromkeys(rule.host for rule in ingress.spec.rules)) or ("",)


def _flaw(certificate: TLSCertificate, host: str, at: float | None) -> str:
    if at is not None and at >= certificate.not_after:
        return "has expired"
    if at is not None and at + LATE_SECONDS < certificate.not_before:
        return "is not valid yet"
    if host and not any(covers(name, host) for name in certificate.names):
        return f"is not for {host}"
    return ""
