"""Certificates: what is known of those that Ingresses use, without what is secret of them."""

from msgspec import Struct

from reconciler.model.api.meta import Condition, ObjectMeta


class CertificateStatus(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How long a certificate is good for, or why there is none."""

    not_after: str = ""
    """When it ends, as RFC 3339 in UTC; empty if there is none that can be used."""
    conditions: tuple[Condition, ...] = ()
    """Ready: there is one that can be used; the message says why there is none."""


class Certificate(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The certificate in the Secret of the same name, or the one that stands for it. No manifest holds any."""

    metadata: ObjectMeta
    status: CertificateStatus = CertificateStatus()
