"""Where the value of a container's variable comes from: a ConfigMap, a Secret, or a field of the pod."""

from msgspec import Struct

from reconciler.model.quantities import Quantity


class KeySelector(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One key of a ConfigMap or a Secret in the pod's namespace."""

    name: str
    key: str
    optional: bool = False


class ObjectFieldSelector(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A field of the pod itself: metadata.name, metadata.namespace, metadata.uid, status.podIP, spec.nodeName…"""

    field_path: str


class ResourceFieldSelector(Struct, frozen=True, rename="camel", omit_defaults=True):
    """An amount that a container asks for: limits.cpu, limits.memory, requests.cpu, requests.memory."""

    resource: str
    container_name: str = ""
    """Empty: the container itself; in a volume it is always given."""
    divisor: Quantity | None = None
    """None: 1 (cores, bytes). The result is rounded up."""


class EnvVarSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Where the value of a variable comes from. Exactly one source is set."""

    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None


class EnvVar(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A variable of a container's environment."""

    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvFromRef(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A ConfigMap or a Secret whose keys become variables."""

    name: str
    optional: bool = False


class EnvFromSource(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Every key of a ConfigMap or Secret as a variable; exactly one of the two is set."""

    prefix: str = ""
    config_map_ref: EnvFromRef | None = None
    secret_ref: EnvFromRef | None = None
