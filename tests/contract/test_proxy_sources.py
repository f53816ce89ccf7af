"""A running HAProxy is told whom to let through: what it lists then is what it does, and its file begins with."""

import http.client
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reconciler.model.addresses import SocketAddress, socket_address
from reconciler.model.proxy import ProxySection, ProxyServer, config_text
from reconciler.nodes.proxy.runtime_api import (
    LiveServer,
    SourceLists,
    as_wanted,
    changes,
    command_lines,
    read_sources,
    shown_sources,
)
from reconciler.services.haproxy import BalanceSettings, Bind, guarded, listen_text, node_proxy
from reconciler.services.ingress_files import INSIDE
from tests.haproxy_process import answering, free_ports, running, write_sources

EVERYBODY, OWN = "0.0.0.0/0", "127.0.0.1/32"
MANY = tuple(f"10.{n // 250}.{n % 250}.0/24" for n in range(2000))


class Site:
    """A service with one pod, on loopback. Clients have the addresses 127.0.0.x."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, answers = free_ports(2)
        self._pod = ProxyServer("web-0", socket_address(f"127.0.0.1:{answers}"))
        self.arguments = [word for name in ("haproxy.cfg", "pods.cfg") for word in ("-f", str(folder / name))]
        (folder / "servers.state").write_text("1\n")
        (folder / "pods.cfg").write_text(answering({"web": answers}))
        proxy = node_proxy("image", [self.section([EVERYBODY])])
        (folder / "haproxy.cfg").write_text(config_text(proxy).replace(INSIDE, str(folder)))
        write_sources(proxy, folder)
        self.sources: SourceLists = {}

    def section(self, allowed: Sequence[str], denied: Sequence[str] = ()) -> ProxySection:
        text = listen_text(
            "shop_web_http", (Bind(SocketAddress("127.0.0.1", self.port)),), BalanceSettings("http")
        )
        return guarded(ProxySection("shop_web_http", text, "check", (self._pod,)), allowed, denied)

    def look(self) -> None:
        names = tuple(self.section([]).sources)
        self.sources = read_sources(self.ask(*shown_sources(names)), names)

    def tell(self, section: ProxySection) -> bool:
        """Whether all is as wanted then."""
        live = {self._pod.name: LiveServer(self._pod.address)}
        names = tuple(section.sources)
        replies = self.ask(*command_lines([*changes(section, live, self.sources), *shown_sources(names)]))
        self.sources = read_sources(replies, names)
        return as_wanted(section, live, self.sources)

    def passes(self, client: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, 5, (client, 0))
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except (http.client.RemoteDisconnected, ConnectionError):
            return False
        finally:
            connection.close()

    def ask(self, *lines: str) -> str:
        return "".join(self._said(line.replace(INSIDE, str(self._folder))) for line in lines)

    def _said(self, line: str) -> str:
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self._folder / "admin.sock"))
            admin.sendall(f"{line}\n".encode())
            return b"".join(iter(lambda: admin.recv(65536), b"")).decode()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with running(made.arguments, made.port):
        made.look()
        assert made.tell(made.section([EVERYBODY])), "as its files say"
        yield made


def test_a_list_of_everybody_lets_everybody_through_and_an_empty_one_nobody(site: Site) -> None:
    assert site.passes("127.0.0.2")
    assert site.tell(site.section([]))
    assert not site.passes("127.0.0.2")
    assert site.tell(site.section([EVERYBODY]))
    assert site.passes("127.0.0.2")


def test_a_client_comes_and_another_goes_as_parts_of_networks(site: Site) -> None:
    assert site.tell(site.section([OWN, "127.0.0.2/32"]))
    assert [site.passes(f"127.0.0.{n}") for n in (1, 2, 3)] == [True, True, False]
    assert site.tell(site.section([OWN, "127.0.0.2/31"]))
    assert [site.passes(f"127.0.0.{n}") for n in (1, 2, 3)] == [True, True, True]
    assert site.tell(site.section([OWN, "127.0.0.3/32"]))
    assert [site.passes(f"127.0.0.{n}") for n in (1, 2, 3)] == [True, False, True]


def test_who_is_denied_is_not_let_through_by_the_other_list(site: Site) -> None:
    assert site.tell(site.section([EVERYBODY], ["127.0.0.2/32"]))
    assert [site.passes(f"127.0.0.{n}") for n in (2, 3)] == [False, True]
    assert site.tell(site.section([EVERYBODY]))
    assert site.passes("127.0.0.2")


def test_a_list_that_is_longer_than_haproxys_buffer_is_told_and_read_whole(site: Site) -> None:
    assert site.tell(site.section([OWN, *MANY]))
    assert site.sources["shop_web_http.allowed"] == {OWN, *MANY}
    assert [site.passes(f"127.0.0.{n}") for n in (1, 2)] == [True, False]
    assert site.tell(site.section([OWN]))


def test_what_somebody_else_changed_is_seen_and_put_right(site: Site) -> None:
    lists = f"{INSIDE}/sources/shop_web_http"
    site.ask(f"clear acl {lists}.allowed; add acl {lists}.denied 127.0.0.2")
    assert not site.passes("127.0.0.2")
    site.look()
    assert site.tell(site.section([EVERYBODY]))
    assert site.passes("127.0.0.2")


def test_a_list_that_the_process_does_not_have_is_not_as_wanted(site: Site) -> None:
    unknown = ProxySection("shop_web_http", "", "check", site.section([]).servers, sources={"other": (OWN,)})
    assert not site.tell(unknown)
    assert site.sources == {}
