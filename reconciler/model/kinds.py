"""How a kind of objects is called: on the wire, in paths, and on the command line."""

from msgspec import Struct


class Names(Struct, frozen=True):
    """The names of one kind, as an entry of Kubernetes' API discovery has them."""

    kind: str
    """The name in CamelCase, such as `NetworkPolicy`: what `kind` says in a manifest."""
    plural: str
    """The name in lower case, such as `networkpolicies`: the resource's in paths of the API."""
    group: str = ""
    """The API group; empty for the core group."""
    version: str = "v1"
    """The one version in which the kind is read and shown."""
    short: tuple[str, ...] = ()
    """Further names that a command line accepts, such as `netpol`."""
    namespaced: bool = True
    """Whether each object belongs to a namespace, or to the cluster as a whole."""
    subresources: tuple[str, ...] = ()
    """What objects have beside themselves here, such as `status`."""
    hint: str = ""
    """What the list of kinds in a command's help says of this one; empty where its names say all."""

    @property
    def api_version(self) -> str:
        """The group and the version as a manifest writes them: `apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The name of one object's kind in lower case, such as `networkpolicy`."""
        return self.kind.lower()

    @property
    def aliases(self) -> tuple[str, ...]:
        """Every name by which a command line knows the kind, in lower case."""
        return (self.singular, self.plural, *self.short)

    @property
    def has_status(self) -> bool:
        """Whether the reconciler keeps a status for each object."""
        return "status" in self.subresources
