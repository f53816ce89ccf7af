"""Certificates from an ACME server (RFC 8555): what is asked for, and what came of it."""

from msgspec import Struct

from reconciler.model.names import Ref
from reconciler.model.secrets import SecretText


class Acme(Struct, frozen=True, rename="camel"):
    """Who issues certificates (RFC 8555). To name a server is to agree to its terms of service."""

    server: str
    """The URL of its directory."""
    email: str = ""
    """Whom it warns; empty: nobody."""
    ca: str = ""
    """Certificates, in PEM, to trust when talking to it, beside the usual ones."""


class AcmeAccount(Struct, frozen=True):
    """Who we are to one ACME server."""

    key: SecretText
    """An EC key on P-256, in PEM."""
    thumbprint: str
    """The thumbprint of that key (RFC 7638). A token, a dot and this are the whole answer to any challenge (RFC
    8555, 8.1)."""


class IssuedCertificate(Struct, frozen=True):
    names: tuple[str, ...]
    """The names that were asked for, in alphabetical order."""
    server: str
    """The URL of the directory of who issued it."""
    chain: SecretText
    key: SecretText
    """Both in PEM; the chain begins with the certificate."""
    not_before: float
    not_after: float
    """Unix seconds."""


class WantedCertificate(Struct, frozen=True):
    names: tuple[str, ...]
    """The names to ask for, in alphabetical order."""
    ingresses: tuple[Ref, ...]
    """Who is served with it."""


class Order(Struct, frozen=True):
    """One certificate to ask for."""

    secret: Ref
    wanted: WantedCertificate
    terms: Acme
    account: AcmeAccount


class OrderTry(Struct, frozen=True):
    """How the last order of a certificate ended. Not stored: a restart of the master tries again at once."""

    names: tuple[str, ...]
    server: str
    """Another server, or other names, and the next order is at once."""
    failures: int
    """How many orders have failed without a success between; 0: the last one was a success."""
    not_before: float
    """Monotonic seconds: the same is not ordered again until then."""
