"""Namespaces."""

from msgspec import Struct

from reconciler.model.api.meta import ObjectMeta


class Namespace(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A scope for the names of other objects."""

    metadata: ObjectMeta
