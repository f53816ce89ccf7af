"""Certificates from a server that speaks ACME (RFC 8555), proven by HTTP-01."""

from reconciler.acme.issuer import AcmeIssuer

__all__ = ["AcmeIssuer"]
