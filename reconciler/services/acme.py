"""What ACME brings to the entrance: certificates as if they were Secrets, and the answer to challenges. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.acme import IssuedCertificate
from reconciler.model.api.core.config import Secret
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.certificates import wanted_certificates
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.names import Ref

_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class Challenges(Struct, frozen=True):
    """HTTP-01 without a word about the single challenge: the answer follows from its token and our account, so
    every edge can give it, and nothing has to be put in place for an order (RFC 8555, 8.3)."""

    thumbprint: str = ""
    """The thumbprint of the account's key; empty: no challenge is answered."""
    hosts: tuple[str, ...] = ()
    """The hosts that certificates are asked for, in alphabetical order: no other host answers."""

    def __post_init__(self) -> None:
        if self.thumbprint and _THUMBPRINT.fullmatch(self.thumbprint) is None:
            raise ValueError("not the thumbprint of a key")
        if not all(map(_HOST.fullmatch, self.hosts)):
            raise ValueError("not a host")


NO_CHALLENGES: Final = Challenges()


class AcmeAtTheEdge(Struct, frozen=True):
    challenges: Challenges = Challenges()
    issued: Mapping[Ref, Secret] = {}
    """The certificates that are wanted and there, as Secrets."""
    awaited: Mapping[Ref, str] = {}
    """Who is asked for those that are not."""


def acme_at_the_edge(desired: Desired, memory: Memory) -> AcmeAtTheEdge:
    terms = desired.cluster.spec.acme
    wanted = wanted_certificates(desired) if terms is not None else {}
    if terms is None or not wanted:
        return AcmeAtTheEdge()
    account = memory.accounts.get(terms.server)
    held = {secret: memory.certificates[secret] for secret in wanted if secret in memory.certificates}
    hosts = {name for each in wanted.values() for name in each.names}
    return AcmeAtTheEdge(
        Challenges(account.thumbprint, tuple(sorted(hosts))) if account is not None else Challenges(),
        {secret: _as_secret(secret, certificate) for secret, certificate in held.items()},
        {secret: terms.server for secret in wanted if secret not in held},
    )


def _as_secret(ref: Ref, certificate: IssuedCertificate) -> Secret:
    return Secret(
        ObjectMeta(ref.name, ref.namespace),
        type="kubernetes.io/tls",
        data={"tls.crt": certificate.chain, "tls.key": certificate.key},
    )
