"""What a ConfigMap or Secret must be like for whoever refers to it: a variable, a file, a login, a certificate."""

from collections.abc import Iterator
from typing import Any, Final

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding
from reconciler.manifests.manifest import Manifest
from reconciler.manifests.relations import Reference
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.tls import OTHER_KEY, read_certificate

LOGIN_TYPE: Final = "kubernetes.io/dockerconfigjson"


def check_key(reference: Reference, found: Manifest[Any]) -> Iterator[Finding]:
    """An error if the key that is referred to is not there."""
    held, key = _held(found), reference.key
    if key and not reference.optional and key not in held.data and key not in held.binary_data:
        fix = f"add it in {found.place}, or correct the name" + or_optional(reference)
        yield Finding(reference.key_at, Code.MISSING_KEY, f"{reference.ref} has no key {key}", fix)


def check_variable(reference: Reference, found: Manifest[Any]) -> Iterator[Finding]:
    """An error if the key is not there, or holds binary data. As upstream, a whole ConfigMap's is passed over."""
    yield from check_key(reference, found)
    held = _held(found)
    whole = held.binary_data if isinstance(held, Secret) else {}
    named = held.binary_data if reference.key else whole
    for key in sorted(key for key in named if reference.key in ("", key)):
        message = f"the value of {key} in {reference.ref} is binary; a variable can hold text only"
        fix = f"read it from a volume, or store text in {found.place}"
        yield Finding(reference.key_at, Code.NOT_TEXT, message, fix)


def check_login(reference: Reference, found: Manifest[Any]) -> Iterator[Finding]:
    """An error if a Secret is not of the type of logins. Whether it is one that can be read is its own check."""
    held = _held(found)
    assert isinstance(held, Secret)
    if held.type != LOGIN_TYPE:
        message = f"{reference.ref} is not of the type {LOGIN_TYPE}"
        fix = f"correct its type in {found.place}, or the name"
        yield Finding(reference.name_at, Code.INVALID_LOGIN, message, fix)


def check_certificate(reference: Reference, found: Manifest[Any]) -> Iterator[Finding]:
    """An error if the key is not there, or the certificate and its private key do not belong together.

    HTTPS would be down for the hosts of the Ingress. What else is wrong with one is told when it is used.
    """
    yield from check_key(reference, found)
    held = _held(found)
    if isinstance(held, Secret) and read_certificate(held) == OTHER_KEY:
        message = f"the certificate of {reference.ref} cannot be used: {OTHER_KEY}"
        fix = f"put the key that the certificate was made for into {found.place}, or the certificate of this key"
        yield Finding(reference.name_at, Code.OTHER_KEY, message, fix)


def or_optional(reference: Reference) -> str:
    """The end of a sentence that says what to do about a missing object or key."""
    return ", or write optional: true" if reference.may_be_optional else ""


def _held(found: Manifest[Any]) -> ConfigMap | Secret:
    held = found.object
    assert isinstance(held, ConfigMap | Secret)
    return held
