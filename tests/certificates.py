"""Certificates for tests, made anew for each: valid for a day around `NOON` unless a test says otherwise."""

import datetime
from functools import cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from reconciler.model.api.core.config import Secret
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.secrets import SecretText

NOON = 1_900_000_000.0
DAY = 86400.0


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def signed(
    *names: str,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    issuer: str = "",
    start: float = NOON - DAY,
    end: float = NOON + DAY,
    common_name: str = "",
) -> tuple[str, str]:
    """The certificate and its key in PEM; self-signed but for the issuer's name, if one is given."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or (names[0] if names else "test"))])
    signer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]) if issuer else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(start, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(end, datetime.UTC))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general, names))), False)
    certificate = builder.sign(own, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), pem_of(own)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def pem_of(key: CertificateIssuerPrivateKeyTypes, password: bytes = b"") -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


def secret(name: str, chain: str, key: str, namespace: str = "shop") -> Secret:
    held = {"tls.crt": SecretText(chain), "tls.key": SecretText(key)}
    return Secret(ObjectMeta(name, namespace), held, "kubernetes.io/tls")
