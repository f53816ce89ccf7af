"""From Ingresses to routes: which Service answers for a host and path, as upstream has it. Pure.

Rules: https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types
Who claimed a host and path first has it; the order is memory's (`IngressRecord`), as manifests have no age.
A claim that cannot be met is left out and told of; it never takes another one down with it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from reconciler.model.api.core.service import Service
from reconciler.model.api.networking import Ingress, IngressBackend
from reconciler.model.ingress import is_served_here
from reconciler.model.ingress_options import Canary, IngressOptions
from reconciler.model.memory import IngressRecord
from reconciler.model.names import Ref

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*|")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*")
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class Target(Struct, frozen=True):
    """Where requests go, and on what terms."""

    ingress: Ref
    """Whose settings hold; of a canary, the Ingress that it takes traffic from."""
    service: Ref
    port: int
    """Index of the Service's port."""
    port_name: str
    """Its name, or its number where it has none."""
    options: IngressOptions = IngressOptions()
    https_only: bool = False
    """Plain requests are sent to https."""

    def __post_init__(self) -> None:
        for name in (*self.ingress[1:], *self.service[1:], self.port_name):
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} cannot be a name in HAProxy's configuration")


class CanaryTarget(Struct, frozen=True):
    part: Canary
    target: Target


class IngressRoute(Struct, frozen=True):
    """Requests to a host, at one path or at all below it."""

    host: str
    """`shop.example.org`, `*.example.org`, or empty: any that no other route names."""
    path: str
    """The path, of a prefix without a last `/`: empty is every path."""
    exact: bool
    target: Target
    canary: CanaryTarget | None = None

    def __post_init__(self) -> None:
        if len(self.host) > 253 or _HOST.fullmatch(self.host) is None:
            raise ValueError(f"{self.host!r} cannot be a host")
        if len(self.path) > 1024 or _PATH.fullmatch(self.path) is None or "//" in self.path:
            raise ValueError(f"{self.path!r} cannot be a path")


class Routing(Struct, frozen=True):
    routes: tuple[IngressRoute, ...] = ()
    """The one to look at first comes first."""
    default: Target | None = None
    """Where requests go that no route matches."""
    problems: tuple[str, ...] = ()
    """Claims left out, each with the reason and how to fix it."""


class _RouteKey(NamedTuple):
    host: str
    path: str
    exact: bool

    def __str__(self) -> str:
        return f"{self.host or '*'}{self.path or '/'}"


class _RouteClaim(NamedTuple):
    key: _RouteKey
    target: Target
    fallback: bool
    """A defaultBackend: any path goes before it, without a dispute."""


def in_order(ingresses: Mapping[Ref, Ingress], records: Mapping[Ref, IngressRecord]) -> list[tuple[Ref, Ingress]]:
    """Return the Ingresses that are served here; the one that was there first comes first."""
    youngest = max((record.turn for record in records.values()), default=0) + 1

    def age(one: tuple[Ref, Ingress]) -> tuple[int, Ref]:
        return (records[one[0]].turn if one[0] in records else youngest), one[0]

    return sorted(((ref, ingress) for ref, ingress in ingresses.items() if is_served_here(ingress)), key=age)


def route(
    ingresses: Mapping[Ref, Ingress], services: Mapping[Ref, Service], records: Mapping[Ref, IngressRecord]
) -> Routing:
    """The order in which the Ingresses are given makes no difference."""
    ordered = in_order(ingresses, records)
    making = _Making(services)
    for ref, ingress in ordered:
        if ingress.options.canary is None:
            making.claim(ref, ingress)
    for ref, ingress in ordered:
        if ingress.options.canary is not None:
            making.claim_part(ref, ingress, ingress.options.canary)
    return making.result()


def covers(pattern: str, host: str) -> bool:
    """Whether a host of a certificate or a rule is this one: `*.` is exactly one label."""
    if pattern.startswith("*."):
        return pattern == host or host.partition(".")[2] == pattern[2:]
    return pattern == host


class _Making:
    """What is taken so far, and by whom."""

    def __init__(self, services: Mapping[Ref, Service]) -> None:
        self._services = services
        self._routes: dict[_RouteKey, IngressRoute] = {}
        self._fallbacks: dict[_RouteKey, IngressRoute] = {}
        self._default: Target | None = None
        self._problems: list[str] = []

    def claim(self, ref: Ref, ingress: Ingress) -> None:
        """All that an Ingress asks for, but what somebody had before."""
        for claim in self._claims(ref, ingress):
            if not ingress.spec.rules:
                self._claim_default(ref, claim.target)
                continue
            taken = self._fallbacks if claim.fallback else self._routes
            try:
                route = IngressRoute(*claim.key, claim.target)
            except ValueError as error:
                self._problems.append(f"{ref} is not served at {claim.key}: {error}")
                continue
            owner = taken.setdefault(claim.key, route).target.ingress
            if owner != ref:
                what = f"the default of {claim.key.host or '*'}" if claim.fallback else f"{claim.key}"
                self._problems.append(
                    f"{ref} does not get {what}: {owner} had it first; remove it from one of the two"
                )

    def claim_part(self, ref: Ref, ingress: Ingress, part: Canary) -> None:
        """A canary takes traffic from an Ingress of its own namespace alone."""
        for claim in self._claims(ref, ingress):
            routes = self._fallbacks if claim.fallback else self._routes
            main = routes.get(claim.key)
            if main is None or main.target.ingress.namespace != ref.namespace:
                self._problems.append(
                    f"{ref} is a canary of nothing: no other Ingress in {ref.namespace} has {claim.key}; "
                    f"correct its host and path, or remove {ref.name}"
                )
                continue
            if main.canary is not None:
                self._problems.append(
                    f"{ref} takes no traffic of {claim.key}: there is another canary; remove one of the two"
                )
                continue
            theirs = claim.target
            target = replace(main.target, service=theirs.service, port=theirs.port, port_name=theirs.port_name)
            routes[claim.key] = replace(main, canary=CanaryTarget(part, target))

    def result(self) -> Routing:
        routes = {**self._fallbacks, **self._routes}
        ordered = sorted(routes.values(), key=_precedence)
        return Routing(tuple(ordered), self._default, tuple(self._problems))

    def _claims(self, ref: Ref, ingress: Ingress) -> Iterator[_RouteClaim]:
        default = ingress.spec.default_backend
        for rule in ingress.spec.rules:
            for path in rule.http.paths:
                exact = path.path_type == "Exact"
                key = _RouteKey(rule.host, path.path if exact else path.path.rstrip("/"), exact)
                if (target := self._target(ref, ingress, path.backend, rule.host)) is not None:
                    yield _RouteClaim(key, target, fallback=False)
        for host in dict.fromkeys(rule.host for rule in ingress.spec.rules) or ("",):
            if default is not None and (target := self._target(ref, ingress, default, host)) is not None:
                yield _RouteClaim(_RouteKey(host, "", False), target, fallback=True)

    def _claim_default(self, ref: Ref, target: Target) -> None:
        if self._default is None:
            self._default = target
        else:
            self._problems.append(
                f"{ref} is not the default of all hosts: {self._default.ingress} was first; remove one of the two"
            )

    def _target(self, ref: Ref, ingress: Ingress, backend: IngressBackend, host: str) -> Target | None:
        wanted = backend.service.port
        service = Ref("Service", ref.namespace, backend.service.name)
        known = self._services[service].spec.ports if service in self._services else ()
        for index, port in enumerate(known):
            if port.name == wanted.name if wanted.name else port.port == wanted.number:
                https_only = ingress.options.ssl_redirect and has_tls(ingress, host)
                try:
                    return Target(ref, service, index, port.name or str(port.port), ingress.options, https_only)
                except ValueError as error:
                    self._problems.append(f"{ref} is not served: {error}")
                    return None
        self._problems.append(
            f"{ref} is not served by {service}: it has no port {wanted}; correct the one or the other"
        )
        return None


def has_tls(ingress: Ingress, host: str) -> bool:
    return any(not tls.hosts or any(covers(name, host) for name in tls.hosts) for tls in ingress.spec.tls)


def _precedence(route: IngressRoute) -> tuple[bool, bool, str, int, bool, str]:
    """Exact hosts, then wildcards, then none; of one host the longest path, and of equal ones the exact."""
    length = len(route.path.rstrip("/"))
    return not route.host, route.host.startswith("*"), route.host, -length, not route.exact, route.path
