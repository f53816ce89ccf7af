"""The HAProxy sections behind an Ingress: what its settings come to, in front of servers that others put there.

Every line is made of constants, numbers, and values that `IngressOptions` and `Target` let through.
"""

from collections.abc import Iterator

from msgspec import Struct

from reconciler.model.names import Ref
from reconciler.model.sections import IngressSection
from reconciler.model.services import PortProtocol
from reconciler.services.ingress import Target


class BackendSection(Struct, frozen=True):
    """One for each Ingress, Service, port, and whether plain requests are sent to https."""

    name: str
    service: Ref
    port: int
    """Index of the Service's port: of `Endpoint.ports`, too."""
    lines: tuple[str, ...]
    """The lines of its section, without servers."""
    protocol: PortProtocol = "http"
    """Spoken with its servers."""
    affinity: bool = False
    """A server added at run time has a cookie only after `enable dynamic-cookie backend NAME`."""


def backend_of(target: Target) -> BackendSection:
    return BackendSection(
        name=backend_name(target),
        service=target.service,
        port=target.port,
        lines=tuple(_lines(target)),
        protocol="h2c" if target.options.backend_protocol == "h2c" else "http",
        affinity=bool(target.options.affinity_cookie),
    )


def backend_text(backend: BackendSection) -> str:
    """Its section of haproxy.cfg, after the text of `IngressSections`, but for its servers."""
    return "".join([f"backend {backend.name} from ingress\n", *(f"    {line}\n" for line in backend.lines)])


def backend_name(target: Target) -> str:
    return IngressSection(target.ingress, target.service.name, target.port_name, target.https_only).name


def clients_table(target: Target) -> str:
    """Where the requests of each client are counted, for all of an Ingress."""
    return f"ingress_{target.ingress.namespace}_{target.ingress.name}_clients"


def users_list(target: Target) -> str:
    return f"ingress_{target.ingress.namespace}_{target.ingress.name}_users"


def clients_section(target: Target) -> str:
    """An entry is kept a little longer than it counts."""
    period = target.options.rate_period
    return (
        f"\nbackend {clients_table(target)} from ingress\n"
        f"    stick-table type ipv6 size 100k expire {period + 1000}ms store http_req_rate({period}ms)\n"
    )


def _lines(target: Target) -> Iterator[str]:
    """Who may not come in is turned away before anything else is done for them; no password is asked for in plain
    text where there is https."""
    options = target.options
    for kind, time in (
        ("connect", options.timeout_connect),
        ("server", options.timeout_server),
        ("tunnel", options.timeout_tunnel),
    ):
        if time:
            yield f"timeout {kind} {time}ms"
    yield f"balance {options.balance}"
    if options.balance in ("source", "uri"):
        yield "hash-type consistent"
    if options.affinity_cookie:
        yield f"cookie {options.affinity_cookie} insert indirect nocache httponly dynamic"
        yield f"dynamic-cookie-key {target.ingress.namespace}/{target.ingress.name}"
    if options.allow:
        yield from (f"acl allowed src {network}" for network in options.allow)
        yield "http-request deny deny_status 403 unless allowed"
    if options.rate_limit:
        yield f"http-request track-sc0 src table {clients_table(target)}"
        yield f"http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {options.rate_limit} }}"
    if target.https_only:
        yield "http-request redirect scheme https code 308 unless { ssl_fc }"
    if options.body_size:
        yield "acl sized req.fhdr(content-length) -m found"
        yield "http-request wait-for-body time 10s at-least 1 unless sized"
        yield "http-request return status 411 if !sized { req.body_len gt 0 }"
        yield f"http-request deny deny_status 413 if {{ req.body_size gt {options.body_size} }}"
    if options.auth_secret:
        yield f'http-request auth realm "{options.auth_realm}" unless {{ http_auth({users_list(target)}) }}'
