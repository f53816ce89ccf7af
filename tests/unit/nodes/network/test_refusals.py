"""Where nobody answers for a service, connections are refused by rules that read back as they are written."""

import pytest

from reconciler.model.addresses import socket_address
from reconciler.nodes.network.refusals import read_refusals, refusal_rules, silent_binds
from reconciler.nodes.proxy.files import read_listens
from reconciler.nodes.proxy.runtime_api import LiveServer
from reconciler.nodes.proxy.servers import LiveServers

CONFIG = """\
frontend ingress
    bind 0.0.0.0:80
listen shop_db_5432 from tcp
    bind 10.96.0.5:5432
    bind 203.0.113.9:5432 transparent
    server db-0 10.244.1.2:5432 check
listen shop_db_5432_external from tcp
    bind 0.0.0.0:30432
backend shop_db_5432_ingress
    server db-0 10.244.1.2:5432 check
"""


@pytest.mark.parametrize(
    "binds",
    [set(), {"10.96.0.5:5432"}, {"0.0.0.0:30432"}, {"10.96.0.5:80", "10.96.0.5:443", "0.0.0.0:80", "0.0.0.0:81"}],
)
def test_what_is_written_is_read_back(binds: set[str]) -> None:
    there = set(map(socket_address, binds))
    assert read_refusals(refusal_rules(there)) == there


def test_a_port_of_every_address_leaves_alone_who_listens_at_one() -> None:
    rules = refusal_rules({socket_address("0.0.0.0:80"), socket_address("10.96.0.5:80")})
    specific, listener, every = rules[1:]
    assert "-d 10.96.0.5/32" in specific
    assert "-m socket -j RETURN" in listener
    assert "-d" not in every.split()


def test_a_service_is_refused_where_it_listens_while_no_server_takes_connections() -> None:
    heard = read_listens(CONFIG)
    assert "ingress" not in heard, "who has no servers of its own answers by itself"
    servers = LiveServers().updated({name: {} for name in heard})
    servers = servers.updated({"shop_db_5432": {"db-0": LiveServer(socket_address("10.244.1.2:5432"))}})
    assert set(map(str, silent_binds(heard, servers.silent))) == {"0.0.0.0:30432"}
    servers = servers.updated(
        {"shop_db_5432": {"db-0": LiveServer(socket_address("10.244.1.2:5432"), takes=False)}}
    )
    assert set(map(str, silent_binds(heard, servers.silent))) == {
        "0.0.0.0:30432",
        "10.96.0.5:5432",
        "203.0.113.9:5432",
    }
