"""A node's HAProxy as it should be: what only a reload changes, and what comes and goes without one: servers, and
the networks that clients may come from.

The sections' text is made by `services`; here is only how it becomes files, so that `nodes` writes what it was
given and adds the rest in the one form that the files and HAProxy's runtime API share.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from msgspec import Struct
from msgspec.structs import force_setattr

from reconciler.model.addresses import SocketAddress
from reconciler.model.digests import digest
from reconciler.model.secrets import SecretText


class ProxyServer(Struct, frozen=True):
    """A pod that takes connections."""

    name: str
    address: SocketAddress


class ProxySection(Struct, frozen=True):
    """A `listen`, `frontend` or `backend` section; one without `server_options` has no servers."""

    name: str
    text: str
    """Every line of it but those of its servers, the first one included."""
    server_options: str = ""
    """What follows the address, on a `server` line and in `add server` alike: HAProxy's dynamic servers take no
    options from the file."""
    servers: tuple[ProxyServer, ...] = ()
    """The servers of the section, by name."""
    cookies: bool = False
    """Each server has a cookie that HAProxy makes."""
    sources: Mapping[str, tuple[str, ...]] = {}
    """Lists of networks by name, as `IP/length`, sorted; each is a file of its own, which the text refers to."""
    structure: str = ""
    """A digest of all that only a reload changes."""
    membership: str = ""
    """A digest of the rest. Both are worked out when a section is made: most sections outlive many changes."""

    def __post_init__(self) -> None:
        servers = (f"{each.name} {each.address}" for each in self.servers)
        sources = (f"{name} {' '.join(listed)}" for name, listed in self.sources.items())
        force_setattr(self, "structure", digest(self.text, self.server_options))
        force_setattr(self, "membership", digest(*servers, *sources))


class NodeProxy(Struct, frozen=True, dict=True):
    image: str
    preamble: str
    """The `global` and `defaults` sections, and whatever else has no servers and no name."""
    sections: tuple[ProxySection, ...]
    structure: str
    """A digest of everything but servers and networks: another one needs a reload."""
    fingerprint: str
    """A digest of everything."""
    files: Mapping[str, str | SecretText] = {}
    """Maps and certificates by name, which the sections' text refers to. A name says what is in the file (it
    carries a digest): one that is there is right, and those of the configuration in force are not touched."""
    users: SecretText = SecretText("")
    """Sections with the users who may come in, and the hashes of their passwords."""
    given: str = ""
    """What was given out to Services and Ingresses: a line that is read back by a master without a memory."""

    @cached_property
    def routed(self) -> frozenset[str]:
        """The addresses of the pods that new connections may be sent to: one object for all who ask."""
        return frozenset(server.address.ip for section in self.sections for server in section.servers)

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """Return the lists of networks of all sections."""
        return {name: listed for section in self.sections for name, listed in section.sources.items()}


def source_text(networks: Iterable[str]) -> str:
    """The file of a list."""
    return "".join(f"{network}\n" for network in sorted(networks))


def config_text(proxy: NodeProxy) -> str:
    """The whole haproxy.cfg, secrets included. Its first lines say what it is: they tell what is in force."""
    return "".join(_parts(proxy))


def _parts(proxy: NodeProxy) -> Iterator[str]:
    yield f"# fingerprint: {proxy.fingerprint}\n"
    yield f"# structure: {proxy.structure}\n"
    yield f"# routed: {' '.join(sorted(proxy.routed))}".rstrip() + "\n"
    yield f"# given: {proxy.given}\n\n" if proxy.given else "\n"
    yield proxy.preamble
    yield proxy.users.reveal()
    for section in proxy.sections:
        yield f"\n{section.text}"
        for server in section.servers:
            yield f"    server {server.name} {server.address} {section.server_options}".rstrip() + "\n"
