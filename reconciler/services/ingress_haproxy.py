"""From routes and certificates to HAProxy's text and files, for HAProxy 2.6 and later. Pure.

One frontend looks a request up in three maps: the host it is for (exact, else with `*` for its first label, else
any), then its host and path among the exact ones, then among the prefixes, of which HAProxy finds the longest. A
prefix is held as `host/path/` and looked up with a `/` put behind the path, so that whole elements match. What is
found is the backend; settings are rules in the backend's section.

No text of a manifest goes on as it is: hosts, paths and names are checked by `IngressRoute` and `Target`, numbers
and words by `IngressOptions`, passwords by `htpasswd`, and certificates are written anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.core.config import Secret
from reconciler.model.digests import file_digest
from reconciler.model.ingress_options import Canary
from reconciler.model.names import Ref
from reconciler.model.secrets import SecretText
from reconciler.services.acme import NO_CHALLENGES, Challenges
from reconciler.services.certificates import Certificates
from reconciler.services.ingress import IngressRoute, Routing, Target
from reconciler.services.ingress_backends import (
    BackendSection,
    backend_name,
    backend_of,
    clients_section,
)
from reconciler.services.ingress_files import (
    ANY,
    CERTIFICATES,
    CHALLENGED,
    EXACT,
    HOSTS,
    INSIDE,
    PREFIXES,
    USERS,
    Files,
    certificate_files,
    challenge_files,
    map_files,
    marks,
    users_file,
)

_PLAIN: Final = (SocketAddress("0.0.0.0", 80),)
_SECURE: Final = (SocketAddress("0.0.0.0", 443),)

_DEFAULTS: Final = """\
defaults ingress
    mode http
    log global
    balance roundrobin
    retries 3
    retry-on conn-failure empty-response
    option redispatch 1
    option contstats
    timeout connect 1s
    timeout queue 5s
    timeout check 1s
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout client 60s
    timeout server 60s
    timeout client-fin 30s
    timeout server-fin 30s
    timeout tunnel 1h
"""
_WORDS: Final = 50
"""On a line; HAProxy takes 64."""
_FRONTEND: Final = f"""\
    acl odd var(txn.odd) -m bool
    http-request return status 400 if {{ path,url_dec -m reg '/\\.\\.?(;|/|$)|[[:cntrl:]]' }}
    http-request set-var(txn.host) req.fhdr(host),field(1,:),lower,rtrim(.)
    http-request set-var(txn.path) path,url_dec,regsub(//+,/,g)
    http-request return status 400 unless {{ var(txn.path) -m found }}
    http-request set-var(txn.site) var(txn.host),map_str({INSIDE}/{HOSTS})
    http-request set-var(txn.wild) var(txn.host),regsub(^[^.]*,*) unless {{ var(txn.site) -m found }}
    http-request set-var(txn.site) var(txn.wild),map_str({INSIDE}/{HOSTS}) unless {{ var(txn.site) -m found }}
    http-request set-var(txn.site) str({ANY}) unless {{ var(txn.site) -m found }}
    http-request set-var(txn.key) var(txn.site),concat(,txn.path)
    http-request set-var(txn.route) var(txn.key),map_str({INSIDE}/{EXACT})
    http-request set-var(txn.key) var(txn.key),concat(/)
    http-request set-var(txn.route) var(txn.key),map_beg({INSIDE}/{PREFIXES}) unless {{ var(txn.route) -m found }}
    http-request set-var(txn.odd) bool(true) if {{ path -m reg '[%;\\\\]' }}
    http-request set-var(txn.bare) var(txn.path) if odd
    http-request set-var(txn.bare) var(txn.path),url_dec if odd
    http-request set-var(txn.bare) 'var(txn.bare),regsub("\\\\\\\\",/,g),regsub("[?#].*",)' if odd
    http-request set-var(txn.bare) 'var(txn.bare),regsub(";[^/]*",,g)' if odd
    http-request set-var(txn.bare) var(txn.bare),regsub(//+,/,g) if odd
    http-request return status 400 if odd {{ var(txn.bare) -m reg '/\\.\\.?(/|$)|[[:cntrl:]]|%[0-9A-Fa-f]{{2}}' }}
    http-request return status 400 if odd {{ path -m reg -i '%c[01]%[89ab]|%e0%[89]' }}
    http-request set-var(txn.key) var(txn.site),concat(,txn.bare) if odd
    http-request set-var(txn.other) var(txn.key),map_str({INSIDE}/{EXACT}) if odd
    http-request set-var(txn.key) var(txn.key),concat(/) if odd
    http-request set-var(txn.other) var(txn.key),map_beg({INSIDE}/{PREFIXES}) if odd !{{ var(txn.other) -m found }}
    http-request set-var(txn.other) str(-) if odd !{{ var(txn.other) -m found }}
    http-request set-var(txn.first) str(-) if odd
    http-request set-var(txn.first) var(txn.route) if odd
"""
_FORWARDED: Final = """\
    http-request set-var(txn.backend) var(txn.route),field(1,@) unless { var(txn.backend) -m found }
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Host %[req.fhdr(host)]
    http-request set-header X-Forwarded-Port %[dst_port]
    http-request set-header X-Forwarded-Proto http unless { ssl_fc }
    http-request set-header X-Forwarded-Proto https if { ssl_fc }
    http-request disable-l7-retry unless METH_GET
    use_backend %[var(txn.backend)]
"""
"""What surprises in these:

- Pods read one path in several ways: some drop `;x` from an element, take a backslash for a slash, or decode it
  twice. So a path with any of it is looked up bare, too, and gets 400 where that leads elsewhere, as `/admin;x`.

- The path is compared decoded, and one with `.` or `..` in it, or a control character, gets 400: what a pod makes
  of `/public/%2e%2e/admin` must not be another thing than what was let through. So does one that cannot be
  decoded: without a path, every rule but that of `/` would be passed over.
- X-Forwarded headers are replaced: what a client wrote there is nobody's word.
- A request that a pod took and did not answer is tried again with another pod if it is a GET or HEAD alone.
- `timeout client` is one for all sites: HAProxy 2.6 cannot set it for one.
"""


class IngressSections(Struct, frozen=True):
    """What to add to HAProxy's configuration; empty where there is no route.

    `text` begins a `defaults` of its own: whatever follows the backends is under it. Its first lines are the
    fingerprints of the files, so that another file makes another text.
    """

    text: str = ""
    """Defaults, tables and the frontend."""
    backends: tuple[BackendSection, ...] = ()
    """Each to be added, with its servers, after `backend_text`."""
    files: Files = {}
    """The files by their path below the proxy's directory; a SecretText is for its owner's eyes alone (0600)."""
    problems: tuple[str, ...] = ()


def render_ingress(
    routing: Routing,
    certificates: Certificates,
    secrets: Mapping[Ref, Secret],
    default_certificate: SecretText | None = None,
    challenges: Challenges = NO_CHALLENGES,
    plain: Sequence[SocketAddress] = _PLAIN,
    secure: Sequence[SocketAddress] = _SECURE,
) -> IngressSections:
    """Write the sections of HAProxy's configuration for Ingresses. The same inputs give the same text.

    Without a default certificate, a client that asks for a host without one is refused; without any certificate
    nothing is heard on `secure`.
    """
    targets = list(_targets(routing))
    if not targets:
        return IngressSections()
    marked = marks(routing)
    certified = certificate_files(certificates, default_certificate)
    users, problems = users_file(targets, secrets)
    files: Files = {**map_files(routing, marked), USERS: users, **certified, **challenge_files(challenges)}
    heard = secure if CERTIFICATES in certified else ()
    strict = default_certificate is None and "" not in certificates.by_host
    text = [
        *(f"# {path} {file_digest(path, content)}\n" for path, content in sorted(files.items())),
        _DEFAULTS,
        *dict.fromkeys(clients_section(target) for target in targets if target.options.rate_limit),
        "\nfrontend ingress from ingress\n",
        *(f"    bind {address}\n" for address in plain),
        *(f"    bind {address} {_tls(strict)}\n" for address in heard),
        _FRONTEND,
        *_one_way_to_read(routing, marked),
        *_answers(challenges),
        *_no_route(routing.default),
        *(line for route, mark in marked.items() for line in _shared(route, mark)),
        _FORWARDED,
    ]
    backends = {backend.name: backend for backend in map(backend_of, targets)}
    return IngressSections("".join(text), tuple(backends[name] for name in sorted(backends)), files, problems)


def _targets(routing: Routing) -> Iterator[Target]:
    for route in routing.routes:
        yield route.target
        if route.canary is not None:
            yield route.canary.target
    if routing.default is not None:
        yield routing.default


def _tls(strict: bool) -> str:
    refusing = " strict-sni" if strict else ""
    return f"ssl crt-list {INSIDE}/{CERTIFICATES} alpn h2,http/1.1 ssl-min-ver TLSv1.2{refusing}"


def _one_way_to_read(routing: Routing, marked: Mapping[IngressRoute, str]) -> Iterator[str]:
    """Refuses a path that leads elsewhere when it is read otherwise, unless a manifest has that very path."""
    written = sorted({f"{backend_name(r.target)}{marked.get(r, '')}" for r in routing.routes if ";" in r.path})
    for start in range(0, len(written), _WORDS):
        yield f"    acl written var(txn.route) -m str {' '.join(written[start : start + _WORDS])}\n"
    unless = " !written" if written else ""
    alike = "{ var(txn.first),strcmp(txn.other) eq 0 }"
    yield f"    http-request return status 400 if odd !{alike}{unless}\n"


def _answers(challenges: Challenges) -> Iterator[str]:
    if challenges.thumbprint:
        asked = "{ path -m reg '^/\\.well-known/acme-challenge/[A-Za-z0-9_-]+$' }"
        ours = f"{{ var(txn.host) -m str -f {INSIDE}/{CHALLENGED} }}"
        answer = f'"%[path,field(4,/)].{challenges.thumbprint}"'
        yield (
            "    http-request return status 200 content-type application/octet-stream"
            f" lf-string {answer} if {asked} {ours}\n"
        )


def _no_route(default: Target | None) -> Iterator[str]:
    unless = "unless { var(txn.route) -m found }"
    if default is not None:
        yield f"    http-request set-var(txn.route) str({backend_name(default)}) {unless}\n"
    else:
        yield f'    http-request return status 404 content-type text/plain string "404 not found" {unless}\n'


def _shared(route: IngressRoute, mark: str) -> Iterator[str]:
    """A canary's part: the first word decides, of the header, the cookie, and chance."""
    assert route.canary is not None
    here = f"{{ var(txn.route) -m end {mark} }}"
    undecided = "!{ var(txn.part) -m found }"
    for word, condition in _parts(route.canary.part):
        yield f"    http-request set-var(txn.part) str({word}) if {here} {undecided} {condition}\n"
    name = backend_name(route.canary.target)
    yield f"    http-request set-var(txn.backend) str({name}) if {here} {{ var(txn.part) -m str canary }}\n"


def _parts(part: Canary) -> Iterator[tuple[str, str]]:
    asked = []
    if part.header_value:
        yield "canary", f"{{ req.fhdr({part.header}) -m str -- {part.header_value} }}"
    elif part.header:
        asked.append(f"req.fhdr({part.header})")
    if part.cookie:
        asked.append(f"req.cook({part.cookie})")
    for sample in asked:
        yield "canary", f"{{ {sample} -m str always }}"
        yield "main", f"{{ {sample} -m str never }}"
    if part.weight:
        yield "canary", f"{{ rand(100) lt {part.weight} }}"
