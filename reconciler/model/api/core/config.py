"""ConfigMaps and Secrets: values that pods read as variables or as files."""

from msgspec import Struct

from reconciler.model.api.meta import ObjectMeta
from reconciler.model.secrets import SecretText


class ConfigMap(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Configuration that pods read as variables or as files."""

    metadata: ObjectMeta
    data: dict[str, str] = {}
    binary_data: dict[str, bytes] = {}
    """The entries that are for files only, decoded."""


class Secret(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Confidential values that pods read as variables or as files.

    They are decoded: `data` from base64, and `stringData` over it.
    """

    metadata: ObjectMeta
    data: dict[str, SecretText] = {}
    type: str = "Opaque"
    binary_data: dict[str, SecretText] = {}
    """Values that are not text, for files only: as base64. Not a field upstream: `data` holds both there."""
