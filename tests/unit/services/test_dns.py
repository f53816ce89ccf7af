"""What the files of the name servers may hold, and what they say."""

from collections.abc import Callable

import pytest

from reconciler.services.dns import (
    Alias,
    NamedHost,
    Srv,
    Zone,
    render_answers,
    render_config,
    render_hosts,
    render_records,
    reverse_zones,
)

NETWORKS = ("10.96.0.0/16", "10.244.0.0/16")


def test_an_address_and_its_names_are_a_line() -> None:
    assert render_hosts([NamedHost("10.96.0.1", ("a.b", "c.d"))]) == "10.96.0.1 a.b c.d\n"


def test_the_cluster_answers_for_its_own_names_and_addresses_and_asks_nobody_else() -> None:
    text, name = render_config("cluster.local", NETWORKS, ("192.0.2.53",), ())
    lines = text.splitlines()
    assert {"local=/cluster.local/", "local=/96.10.in-addr.arpa/", "local=/244.10.in-addr.arpa/"} <= set(lines)
    assert {"no-resolv", "server=192.0.2.53"} <= set(lines)
    assert lines[-1] == f"txt-record={name},reconciler"


def test_without_upstreams_the_hosts_own_are_asked() -> None:
    lines = render_config("cluster.local", NETWORKS, (), ())[0].splitlines()
    assert "resolv-file=/etc/reconciler/resolv.conf" in lines
    assert not [line for line in lines if line.startswith(("server=", "no-resolv")) and "#5300" not in line]


def test_ports_of_an_address_are_part_of_the_configuration() -> None:
    zone = Zone(srvs=(Srv("_http._tcp.web.b", "web.b", 80),))
    text, name = render_config("b", NETWORKS, (), (render_records(zone),))
    assert "srv-host=_http._tcp.web.b,web.b,80,0,1\n" in text
    assert name != render_config("b", NETWORKS, (), ())[1]
    assert render_answers(zone) == ""


def test_what_the_authority_knows_is_asked_of_it() -> None:
    zone = Zone(
        delegated=("_http._tcp.db.b", "ext.b"),
        ports=(Srv("_http._tcp.db.b", "db-0.db.b", 80),),
        aliases=(Alias("ext.b", "example.org"),),
    )
    assert render_answers(zone) == "srv _http._tcp.db.b db-0.db.b 80\ncname ext.b example.org\n"
    assert render_records(zone) == ("server=/_http._tcp.db.b/127.83.82.86#5300\nserver=/ext.b/127.83.82.86#5300\n")


@pytest.mark.parametrize(
    ("network", "zones"),
    [
        ("10.96.0.0/16", ["96.10.in-addr.arpa"]),
        ("10.96.0.0/15", ["96.10.in-addr.arpa", "97.10.in-addr.arpa"]),
        ("10.96.7.0/24", ["7.96.10.in-addr.arpa"]),
        ("10.0.0.0/8", ["10.in-addr.arpa"]),
        ("10.96.7.8/31", ["8.7.96.10.in-addr.arpa", "9.7.96.10.in-addr.arpa"]),
    ],
)
def test_a_network_as_zones_of_reverse_names(network: str, zones: list[str]) -> None:
    assert list(reverse_zones(network)) == zones


@pytest.mark.parametrize(
    "make",
    [
        lambda: NamedHost("10.96.0.1\n10.0.0.1", ("a",)),
        lambda: NamedHost("fd00::1", ("a",)),
        lambda: NamedHost("10.96.0.1", ("a b",)),
        lambda: NamedHost("10.96.0.1", ("a\nserver=192.0.2.66",)),
        lambda: NamedHost("10.96.0.1", ("a#",)),
        lambda: NamedHost("10.96.0.1", ("",)),
        lambda: NamedHost("10.96.0.1", ("a..b",)),
        lambda: NamedHost("10.96.0.1", (f"{'a' * 64}.b",)),
        lambda: NamedHost("10.96.0.1", (".".join(["a" * 63] * 4),)),
        lambda: Srv("_a._tcp.b,evil", "b", 80),
        lambda: Srv("_a._tcp.b", "b", 0),
        lambda: Alias("a", "b,c"),
        lambda: Zone(delegated=("a/192.0.2.66",)),
        lambda: render_config("cluster.local/192.0.2.1", NETWORKS, (), ()),
        lambda: render_config("cluster.local", NETWORKS, ("192.0.2.53#5353",), ()),
    ],
)
def test_nothing_else_can_be_written(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        make()
