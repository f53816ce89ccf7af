"""What was written on an Ingress for another controller: nginx, or one that is made of HAProxy.

None of it does anything here. For most, a warning that names our annotation is enough; one that keeps clients
away is an error, as everybody would be served; and raw configuration is refused.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.manifests.annotations.ingress import SETTINGS
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.model.names import GROUP

_AT: Final[Pointer] = ("metadata", "annotations")
_PREFIXES: Final = (
    "nginx.ingress.kubernetes.io/",
    "haproxy.org/",
    "haproxy.com/",
    "haproxy-ingress.github.io/",
    "ingress.kubernetes.io/",
)
"""Of controllers whose names say that they serve the classes that are served here, or whose annotations
most charts have. The last one is that of both HAProxy controllers, and of nginx' first years."""
_ISSUERS: Final = ("kubernetes.io/tls-acme", "cert-manager.io/cluster-issuer", "cert-manager.io/issuer")
"""By which others are told to have certificates issued."""
_RAW: Final = re.compile(r".*-snippet|config-(backend|frontend|proxy|defaults|global|sections|tcp.*)")
_GUARD: Final = re.compile(
    r"(allow-?list|white-?list|deny-?list|black-?list)(-source-range)?"
    r"|auth-(type|secret|url|tls-secret|tls-verify-client)|oauth|client-ca"
)
"""What keeps clients away."""
_EQUIVALENTS: Final = {
    "proxy-connect-timeout": "timeout-connect",
    "proxy-read-timeout": "timeout-server",
    "proxy-send-timeout": "timeout-server",
    "timeout-connect": "timeout-connect",
    "timeout-server": "timeout-server",
    "timeout-tunnel": "timeout-tunnel",
    "proxy-body-size": "body-size",
    "load-balance": "balance",
    "balance-algorithm": "balance",
    "upstream-hash-by": "balance: source or uri",
    "backend-protocol": "backend-protocol",
    "server-proto": "backend-protocol",
    "affinity": "affinity",
    "session-cookie-name": "affinity-cookie-name",
    "cookie-persistence": "affinity and affinity-cookie-name",
    "limit-rps": "rate-limit",
    "limit-rpm": "rate-limit and rate-limit-period",
    "rate-limit-requests": "rate-limit",
    "rate-limit-period": "rate-limit-period",
    "allow-list": "allow-list",
    "allowlist": "allow-list",
    "allowlist-source-range": "allow-list",
    "whitelist": "allow-list",
    "whitelist-source-range": "allow-list",
    "auth-type": "auth-secret",
    "auth-secret": "auth-secret",
    "auth-realm": "auth-realm",
    "cert-signer": "acme",
    "ssl-redirect": "ssl-redirect",
    "force-ssl-redirect": "ssl-redirect",
    "canary": "canary",
    "canary-weight": "canary-weight",
    "canary-by-header": "canary-by-header",
    "canary-by-header-value": "canary-by-header-value",
    "canary-by-cookie": "canary-by-cookie",
}
"""By the name without its prefix: no two of these controllers mean different things by one."""


def check_foreign(annotations: Mapping[str, str], *, canary: bool) -> Iterator[Finding]:
    """Errors and warnings about annotations for other controllers on an Ingress that is served here.

    A canary is guarded as the Ingress is whose traffic it takes.
    """
    for name in annotations:
        if name in _ISSUERS:
            fix = f'write {GROUP}/acme: "true", and name the server in the Cluster'
            yield warning((*_AT, name), Code.IGNORED_FIELD, f"{name} changes nothing here", fix, at_key=True)
        elif name.startswith(_PREFIXES):
            short = name.partition("/")[2]
            guarded = canary or f"{GROUP}/{_EQUIVALENTS.get(short)}" in annotations
            yield _about(name, short, guarded=guarded)


def _about(name: str, short: str, *, guarded: bool) -> Finding:
    here, ours = (*_AT, name), _EQUIVALENTS.get(short)
    if _RAW.fullmatch(short):
        message = f"{name} is raw configuration, which could change every other site: it is never passed on"
        known = ", ".join(setting.removeprefix(f"{GROUP}/") for setting in SETTINGS)
        fix = f"remove it; what can be set is typed: {GROUP}/{known}"
        return Finding(here, Code.REFUSED_FIELD, message, fix, at_key=True)
    if _GUARD.fullmatch(short) and not guarded:
        message = f"{name} changes nothing here: clients that it keeps away would be served"
        fix = f"write {GROUP}/{ours}" if ours else f"remove it; what there is: {GROUP}/allow-list, auth-secret"
        return Finding(here, Code.REFUSED_FIELD, message, fix, at_key=True)
    fix = f"write {GROUP}/{ours}" if ours else "remove it, or leave it: there is nothing like it here"
    return warning(here, Code.IGNORED_FIELD, f"{name} changes nothing here", fix, at_key=True)
