"""A chain of certificates and a key, read and judged as HAProxy will. Imported by `tls` when there are some."""

from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from reconciler.model.secrets import SecretText
from reconciler.model.tls import OTHER_KEY, SMALLEST_RSA, TLSCertificate

_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
_WEAK: Final = (hashes.MD5, hashes.SHA1)
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def judged(chain: SecretText, key: SecretText) -> TLSCertificate | str:
    """The certificate, or why it is none that HAProxy can load."""
    try:
        read = x509.load_pem_x509_certificates(chain.reveal().encode())
    except _UNREADABLE:
        return "tls.crt is not a certificate in PEM"
    try:
        private = serialization.load_pem_private_key(key.reveal().encode(), None)
    except _UNREADABLE:
        return "tls.key is not a private key in PEM without a password"
    try:
        return _judged(read, private)
    except _UNREADABLE:
        return "tls.crt holds what cannot be understood"


def _judged(chain: list[x509.Certificate], private: object) -> TLSCertificate | str:
    leaf = chain[0]
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        return "its key is of a kind that browsers do not know"
    if weak := next(filter(None, map(_weakness, chain)), ""):
        return weak
    if _public(leaf.public_key()) != _public(private.public_key()):
        return OTHER_KEY
    parts = [one.public_bytes(serialization.Encoding.PEM) for one in chain]
    parts.append(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return TLSCertificate(
        SecretText(b"".join(parts).decode()),
        tuple(_names(leaf)),
        leaf.not_valid_before_utc.timestamp(),
        leaf.not_valid_after_utc.timestamp(),
    )


def _weakness(certificate: x509.Certificate) -> str:
    """Why OpenSSL refuses it at the level of security that Debian sets."""
    public = certificate.public_key()
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < SMALLEST_RSA:
        return f"an RSA key in it has fewer than {SMALLEST_RSA} bits"
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name not in _CURVES:
        return f"a key in it is on the curve {public.curve.name}, which browsers do not know"
    self_signed = certificate.issuer == certificate.subject
    if isinstance(certificate.signature_hash_algorithm, _WEAK) and not self_signed:
        return "a certificate in it is signed with MD5 or SHA-1"
    return ""


def _public(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        return b""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _names(leaf: x509.Certificate) -> Iterator[str]:
    """A common name counts only where there are no others."""
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        yield from (name.lower() for name in extension.value.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        for name in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
            yield str(name.value).lower()
