"""What upstream says of a request, found by looking at every rule: the judge of our routes and of HAProxy itself.

Rule: https://kubernetes.io/docs/concepts/services-networking/ingress/#multiple-matches
It knows nothing of `reconciler.services`, and looks at each Ingress as it is written.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.model.api.meta import ObjectMeta
from reconciler.model.api.networking import (
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IngressTLS,
    PathType,
    ServiceBackendPort,
)
from reconciler.model.ingress_options import Canary, IngressOptions


class Answer(NamedTuple):
    ingress: str
    """`namespace/name` of the one whose settings hold."""
    service: str


class Request(NamedTuple):
    host: str
    path: str
    headers: Mapping[str, str] = {}
    """With lower-case names."""
    cookies: Mapping[str, str] = {}
    dice: int = 99
    """From 0 to 99: what chance says of a weight."""


def backend(service: str, port: int = 80) -> IngressBackend:
    return IngressBackend(IngressServiceBackend(service, ServiceBackendPort(number=port)))


def rule(host: str, *paths: tuple[PathType, str, str]) -> IngressRule:
    """Each path with the service behind it."""
    return IngressRule(
        host, HTTPIngressRuleValue(tuple(HTTPIngressPath(kind, backend(to), path) for kind, path, to in paths))
    )


def ingress(
    name: str,
    *rules: IngressRule,
    default: str = "",
    namespace: str = "shop",
    class_name: str = "",
    tls: Sequence[IngressTLS] = (),
    **options: Any,
) -> Ingress:
    spec = IngressSpec(class_name, backend(default) if default else None, rules, tuple(tls))
    return Ingress(ObjectMeta(name, namespace), spec, IngressOptions(**options))


def answer(by_age: Sequence[Ingress], request: Request) -> Answer | None:
    """None: 404. `by_age` are the Ingresses, the oldest first."""
    ours = [one for one in by_age if one.spec.ingress_class_name in ("", "reconciler", "haproxy")]
    mains = [one for one in ours if one.options.canary is None]
    host = _host(mains, request.host)
    found = None if host is None else _best(mains, host, request.path)
    if host is not None and found is not None:
        main, path = found
        name = f"{main.metadata.namespace}/{main.metadata.name}"
        for canary in ours:
            part = canary.options.canary
            same = canary.metadata.namespace == main.metadata.namespace
            if part is not None and same and (service := _same(canary, host, path)):
                return Answer(name, service if _taken(part, request) else path.backend.service.name)
        return Answer(name, path.backend.service.name)
    for main in mains:
        if not main.spec.rules and main.spec.default_backend is not None:
            return Answer(
                f"{main.metadata.namespace}/{main.metadata.name}", main.spec.default_backend.service.name
            )
    return None


def _host(mains: Sequence[Ingress], wanted: str) -> str | None:
    claimed = {one.host for main in mains for one in main.spec.rules}
    wildcard = "*." + wanted.partition(".")[2]
    return next((host for host in (wanted, wildcard, "") if host in claimed), None)


def _best(mains: Sequence[Ingress], host: str, wanted: str) -> tuple[Ingress, HTTPIngressPath] | None:
    matching = [
        (len(_elements(path.path)), path.path_type == "Exact", -age, (main, path))
        for age, main in enumerate(mains)
        for one in main.spec.rules
        if one.host == host
        for path in one.http.paths
        if _matches(path, wanted)
    ]
    if matching:
        return max(matching, key=lambda one: one[:3])[3]
    for main in mains:
        if main.spec.default_backend and host in {one.host for one in main.spec.rules}:
            return main, HTTPIngressPath("Prefix", main.spec.default_backend, "default")
    return None


def _matches(path: HTTPIngressPath, wanted: str) -> bool:
    if path.path_type == "Exact":
        return path.path == wanted
    elements = _elements(path.path)
    return _elements(wanted)[: len(elements)] == elements


def _elements(path: str) -> list[str]:
    return [element for element in path.split("/") if element]


def _same(canary: Ingress, host: str, path: HTTPIngressPath) -> str:
    """The canary's service for this very host and path."""
    for one in canary.spec.rules:
        for its in one.http.paths if one.host == host else ():
            exact = its.path_type == "Exact"
            alike = its.path == path.path if exact else _elements(its.path) == _elements(path.path)
            if alike and exact == (path.path_type == "Exact") and path.path != "default":
                return its.backend.service.name
    return ""


def _taken(part: Canary, request: Request) -> bool:
    header = request.headers.get(part.header.lower()) if part.header else None
    if part.header_value:
        if header == part.header_value:
            return True
    elif header in ("always", "never"):
        return header == "always"
    if part.cookie and (cookie := request.cookies.get(part.cookie)) in ("always", "never"):
        return cookie == "always"
    return request.dice < part.weight
