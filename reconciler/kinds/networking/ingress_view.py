"""How Ingresses are shown."""

from typing import Final

from reconciler.model.api.certificates import Certificate
from reconciler.model.api.core.service import load_balancer_addresses
from reconciler.model.api.meta import condition_of
from reconciler.model.api.networking import Ingress, IngressBackend, IngressTLS
from reconciler.model.ingress import ingress_class, is_served_here
from reconciler.model.moments import unix_seconds
from reconciler.model.names import Ref
from reconciler.reporting.ages import age
from reconciler.reporting.describing.page import Entry, entry, events_entry, heading, known, named, page, rows
from reconciler.reporting.describing.traffic import traffic_entries
from reconciler.reporting.lines import Line
from reconciler.reporting.view import NONE, Column, Context, View, age_column, name_column


def _message(ingress: Ingress) -> str:
    return "" if is_served_here(ingress) else "left to another controller"


def _hosts(ingress: Ingress, _: Context) -> str:
    return ",".join(dict.fromkeys(rule.host for rule in ingress.spec.rules if rule.host)) or "*"


def _addresses(ingress: Ingress) -> tuple[str, ...]:
    return load_balancer_addresses(ingress.status.load_balancer)


def _describe(ingress: Ingress, context: Context) -> list[Line]:
    spec = ingress.spec
    header = (("Host", "Path", "Backends"), ("----", "----", "--------"))
    ruled = [
        (rule.host or "*", path.path or "/", _backend(path.backend))
        for rule in spec.rules
        for path in rule.http.paths
    ]
    default = spec.default_backend
    tls = tuple(_tls(ingress, one, context) for one in spec.tls)
    return page(
        [
            *named(ingress.metadata),
            entry("Address", ", ".join(_addresses(ingress))),
            entry("Ingress Class", ingress_class(ingress) or NONE),
            *known("Message", _message(ingress)),
            entry("Default backend", _backend(default) if default else NONE),
            *((Entry("TLS", tls),) if tls else ()),
            heading("Rules", [rows([*header, *ruled])]) if ruled else entry("Rules", NONE),
            *traffic_entries((), context.traffic),
            events_entry(context.events, context.now),
        ]
    )


def _tls(ingress: Ingress, tls: IngressTLS, context: Context) -> str:
    name, hosts = tls.secret_name, ",".join(tls.hosts) or "*"
    found = context.objects.get(Ref("Certificate", ingress.metadata.namespace, name))
    certificate = found if isinstance(found, Certificate) else None
    ready = condition_of(certificate.status.conditions, "Ready") if certificate is not None else None
    if ready is not None and ready.message:
        return f"{name} cannot terminate {hosts}: {ready.message}"
    said = f"{name or 'the default certificate'} terminates {hosts}"
    if name in context.issued:
        said += f", from {context.issued[name].server}"
    end = certificate.status.not_after if certificate is not None else ""
    if not end:
        return said
    left = unix_seconds(end) - context.now
    return f"{said}, ends {end} (in {age(left)})" if left > 0 else f"{said}, ended {end}"


def _backend(backend: IngressBackend) -> str:
    return f"{backend.service.name}:{backend.service.port}"


INGRESS_VIEW: Final = View[Ingress](
    columns=(
        name_column(),
        Column("CLASS", lambda ingress, _: ingress_class(ingress) or NONE),
        Column("HOSTS", _hosts),
        Column("ADDRESS", lambda ingress, _: ",".join(_addresses(ingress))),
        Column("PORTS", lambda ingress, _: "80, 443" if ingress.spec.tls else "80"),
        age_column(),
        Column("MESSAGE", lambda ingress, _: _message(ingress) or NONE, priority=1),
    ),
    describe=_describe,
)
