"""Ingresses that are served by a HAProxy of this machine, with services that answer with their own names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from reconciler.model.addresses import SocketAddress
from reconciler.model.api.core.config import Secret
from reconciler.model.api.meta import ref_of
from reconciler.model.api.networking import Ingress
from reconciler.model.memory import IngressRecord
from reconciler.model.proxy import ProxyServer
from reconciler.model.secrets import SecretText
from reconciler.services.acme import NO_CHALLENGES, Challenges
from reconciler.services.certificates import certificates
from reconciler.services.ingress import route
from reconciler.services.ingress_haproxy import IngressSections, render_ingress
from tests.certificates import NOON
from tests.haproxy_process import answering, free_ports, running, write
from tests.properties.test_ingress_routes import SERVICES

NOTHING: Mapping[str, int] = {}
NOBODY: Mapping[str, str] = {}


class Site(NamedTuple):
    plain: int
    secure: int
    sections: IngressSections


def rendered(
    by_age: list[Ingress],
    plain: int,
    secure: int = 1,
    secrets: tuple[Secret, ...] = (),
    default: SecretText | None = None,
    challenges: Challenges = NO_CHALLENGES,
) -> IngressSections:
    records = {ref_of(one): IngressRecord(turn) for turn, one in enumerate(by_age)}
    wanted = {ref_of(one): one for one in by_age}
    known = {ref_of(one): one for one in secrets}
    routing = route(wanted, SERVICES, records)
    found = certificates(wanted, known, records, NOON)
    binds = (SocketAddress("127.0.0.1", plain),), (SocketAddress("127.0.0.1", secure),)
    return render_ingress(routing, found, known, default, challenges, *binds)


@contextmanager
def serving(
    *by_age: Ingress,
    secrets: tuple[Secret, ...] = (),
    default: SecretText | None = None,
    words: str = "",
    at: Mapping[str, int] = NOTHING,
    also: Mapping[str, str] = NOBODY,
    challenges: Challenges = NO_CHALLENGES,
) -> Iterator[Site]:
    """`at`: who answers for a service in place of our own (0: nobody); `also`: another one of ours that
    answers for it, too."""
    plain, secure, *ports = free_ports(5)
    behind = dict(zip("abc", ports, strict=True))
    sections = rendered(list(by_age), plain, secure, secrets, default, challenges)
    servers = {
        name: tuple(
            ProxyServer(f"pod-{number}", SocketAddress("127.0.0.1", one))
            for number, one in enumerate((at.get(name, port), behind.get(also.get(name, ""), 0)))
            if one
        )
        for name, port in behind.items()
    }
    with TemporaryDirectory() as folder:
        arguments = write(sections, Path(folder), servers, answering(behind, words))
        with running(arguments, plain):
            yield Site(plain, secure, sections)
