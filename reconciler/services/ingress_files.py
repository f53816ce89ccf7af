"""The files that HAProxy's ingress reads: maps of hosts and paths, certificates, and lists of users. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from reconciler.model.api.core.config import Secret
from reconciler.model.htpasswd import read_users
from reconciler.model.names import Ref
from reconciler.model.secrets import SecretText
from reconciler.services.acme import Challenges
from reconciler.services.certificates import Certificates
from reconciler.services.ingress import IngressRoute, Routing, Target
from reconciler.services.ingress_backends import backend_name, users_list

Files: TypeAlias = Mapping[str, str | SecretText]
"""Files by their path below the proxy's directory; a SecretText is for its owner's eyes alone (0600)."""

INSIDE: Final = "/etc/reconciler"
"""Where HAProxy sees the proxy's directory of its host."""
USERS: Final = "ingress/users.cfg"
"""A configuration file of its own, for `haproxy -f`: what is in it is secret."""
HOSTS, EXACT, PREFIXES = "ingress/hosts.map", "ingress/exact.map", "ingress/prefixes.map"
CERTIFICATES: Final = "ingress/certificates.list"
CHALLENGED: Final = "ingress/challenged.list"
"""Hosts that answer ACME's challenges."""
ANY: Final = "*"
"""What stands for any host."""


def marks(routing: Routing) -> Mapping[IngressRoute, str]:
    """What is put behind the backend's name for a route that has a canary: `@1`, `@2`…"""
    shared = (route for route in routing.routes if route.canary is not None)
    return {route: f"@{number}" for number, route in enumerate(shared, start=1)}


def map_files(routing: Routing, marked: Mapping[IngressRoute, str]) -> Files:
    """A prefix is held with a `/` behind it, so that whole elements match."""
    values = {route: f"{backend_name(route.target)}{marked.get(route, '')}" for route in routing.routes}
    keys = {route: f"{route.host or ANY}{route.path}{'' if route.exact else '/'}" for route in routing.routes}
    return {
        HOSTS: _map({route.host: route.host for route in routing.routes if route.host}),
        EXACT: _map({keys[route]: values[route] for route in routing.routes if route.exact}),
        PREFIXES: _map({keys[route]: values[route] for route in routing.routes if not route.exact}),
    }


def _map(entries: Mapping[str, str]) -> str:
    return "".join(f"{key} {entries[key]}\n" for key in sorted(entries))


def certificate_files(certificates: Certificates, default_certificate: SecretText | None) -> Files:
    """The list, and each certificate; the one for names that nobody else has comes first in it. None: no files."""
    files: dict[str, str | SecretText] = {}
    lines: list[str] = []
    if default_certificate is not None and "" not in certificates.by_host:
        files["ingress/certificates/default.pem"] = default_certificate
        lines.append(f"{INSIDE}/ingress/certificates/default.pem !*")
    hosts: dict[Ref, list[str]] = {}
    for host, secret in sorted(certificates.by_host.items()):
        hosts.setdefault(secret, []).append(host)
    for secret, names in sorted(hosts.items(), key=lambda one: ("" not in one[1], one[0])):
        path = f"ingress/certificates/{secret.namespace}_{secret.name}.pem"
        files[path] = certificates.held[secret].pem
        lines += (f"{INSIDE}/{path} {name or '!*'}" for name in names)
    if lines:
        files[CERTIFICATES] = "".join(f"{line}\n" for line in lines)
    return files


def challenge_files(challenges: Challenges) -> Files:
    return {CHALLENGED: "".join(f"{host}\n" for host in challenges.hosts)} if challenges.thumbprint else {}


def users_file(targets: Sequence[Target], secrets: Mapping[Ref, Secret]) -> tuple[SecretText, tuple[str, ...]]:
    """A list that cannot be read has no users: nobody gets in."""
    lists: dict[str, str] = {}
    problems = []
    for target in targets:
        if not target.options.auth_secret or users_list(target) in lists:
            continue
        name = Ref("Secret", target.ingress.namespace, target.options.auth_secret)
        held = secrets[name].data.get("auth") if name in secrets else None
        lines = [f"\nuserlist {users_list(target)}"]
        try:
            users = read_users(held.reveal()) if held is not None else ()
            lines += [f"    user {user.name} password {user.hash.reveal()}" for user in users]
        except ValueError as error:
            problems.append(f"nobody gets in to {target.ingress}: {name}: {error}; correct its key auth")
        lists[users_list(target)] = "\n".join([*lines, ""])
    return SecretText("".join(lists[name] for name in sorted(lists))), tuple(problems)
