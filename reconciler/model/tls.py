"""What a TLS Secret holds, read and judged: the certificate as HAProxy can load it, or why it cannot. Pure."""

from functools import lru_cache
from typing import Final

from msgspec import Struct

from reconciler.model.api.core.config import Secret
from reconciler.model.secrets import SecretText

SMALLEST_RSA: Final = 2048
OTHER_KEY: Final = "tls.key is not the key of the first certificate in tls.crt"
"""What `read_certificate` answers where a certificate and a key do not belong together."""


class TLSCertificate(Struct, frozen=True):
    """A certificate with its chain and key, of which HAProxy can read every byte."""

    pem: SecretText
    names: tuple[str, ...]
    not_before: float
    not_after: float
    """Unix seconds."""


def read_certificate(secret: Secret | None) -> TLSCertificate | str:
    """The certificate of a Secret, or why there is none, with nothing of what the Secret holds."""
    if secret is None or not {"tls.crt", "tls.key"} <= secret.data.keys():
        return "it has no tls.crt and tls.key"
    return _read(secret.data["tls.crt"], secret.data["tls.key"])


@lru_cache(maxsize=4096)
def _read(chain: SecretText, key: SecretText) -> TLSCertificate | str:
    """Remembered: to read a thousand of them takes a second, and every change of an endpoint comes by here."""
    from reconciler.model.x509 import judged  # whoever has no TLS Secret has no use for cryptography

    return judged(chain, key)
