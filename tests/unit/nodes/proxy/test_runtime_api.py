"""What is said to a running HAProxy to change its servers and networks, and what it answers."""

from reconciler.model.addresses import socket_address
from reconciler.model.proxy import ProxySection, ProxyServer
from reconciler.nodes.proxy.runtime_api import (
    LiveServer,
    as_wanted,
    changes,
    command_lines,
    count_of_states,
    kept_state,
    read_servers_state,
    read_sources,
    refusals,
    shown_sources,
)
from reconciler.nodes.proxy.servers import LiveServers

A, B = ProxyServer("a", socket_address("10.244.0.2:80")), ProxyServer("b", socket_address("10.244.0.3:80"))
HEAD = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state …\n"
STATE = (
    HEAD + "2 web 1 a 10.244.0.2 2 0 1 1 1 6 3 2 6 0 0 0 - 80 - 0 0 - - 0\n"
    "2 web 2 b 10.244.0.3 0 0 1 1 1 6 3 2 6 0 0 0 - 80 - 0 0 - - 0\n"
    "2 web 3 c 10.244.0.4 0 1 1 1 1 6 3 2 6 0 0 0 - 80 - 0 0 - - 0\n"
    "3 other 1 a 10.244.0.2 2 0 1 1 1 6 3 2 6 0 0 0 - 81 - 0 0 - - 0\n"
)


def web(*servers: ProxyServer) -> ProxySection:
    return ProxySection("web", "listen web\n", "check inter 1s", servers)


def test_a_new_server_is_added_with_its_options_and_made_ready() -> None:
    assert changes(web(A), {}, {}) == [
        "add server web/a 10.244.0.2:80 check inter 1s",
        "enable health web/a",
        "set server web/a state ready",
    ]


def test_without_checks_there_is_no_health_to_enable() -> None:
    commands = changes(ProxySection("web", "", "send-proxy-v2", (A,)), {}, {})
    assert commands == ["add server web/a 10.244.0.2:80 send-proxy-v2", "set server web/a state ready"]


def test_what_is_as_wanted_gets_no_command() -> None:
    assert changes(web(A), {"a": LiveServer(A.address)}, {}) == []
    assert as_wanted(web(A), {"a": LiveServer(A.address), "b": LiveServer(B.address, takes=False)}, {})


def test_a_server_leaves_after_the_new_one_has_come() -> None:
    commands = changes(web(B), {"a": LiveServer(A.address)}, {})
    assert commands[-2:] == ["set server web/a state maint", "del server web/a"]
    assert commands[0].startswith("add server web/b")


def test_who_waits_for_a_dead_pod_that_is_gone_is_cut_off() -> None:
    assert "shutdown sessions server web/a" in changes(web(), {"a": LiveServer(A.address, up=False)}, {})
    assert changes(web(), {"a": LiveServer(A.address)}, {}) == ["set server web/a state maint", "del server web/a"]


def test_one_that_still_has_connections_is_deleted_when_it_can_be() -> None:
    assert changes(web(), {"a": LiveServer(A.address, takes=False)}, {}) == ["del server web/a"]


def test_a_pod_is_connected_until_its_server_is_deleted_from_every_section() -> None:
    live = LiveServers().updated(
        {
            "web": {"a": LiveServer(A.address, takes=False), "b": LiveServer(B.address)},
            "other": {"a": LiveServer(A.address)},
        }
    )
    assert live.connected == frozenset(), "one section still sends to it"
    live = live.updated({"other": {}})
    assert live.routed == {"10.244.0.3"}
    assert live.connected == {"10.244.0.2"}
    assert live.deletions == ["del server web/a"]
    live = live.updated({"web": {"b": LiveServer(B.address)}})
    assert live.connected == frozenset()
    assert not live.deletions


def test_one_that_comes_back_before_it_was_deleted_is_made_ready_at_its_new_address() -> None:
    assert changes(web(A), {"a": LiveServer(B.address, takes=False)}, {}) == [
        "set server web/a addr 10.244.0.2 port 80",
        "set server web/a state ready",
    ]


def test_commands_share_lines_that_haproxys_buffer_holds() -> None:
    lines = command_lines([f"del server web/{n:05}" for n in range(2000)])
    assert 1 < len(lines) < 10
    assert all(len(line) < 16_000 for line in lines)
    assert "; ".join(lines).count("del server") == 2000


def test_the_state_is_read_also_among_other_replies() -> None:
    servers = read_servers_state(f"New server registered.\n\n{STATE}")
    assert servers["web"] == {
        "a": LiveServer(socket_address("10.244.0.2:80")),
        "b": LiveServer(socket_address("10.244.0.3:80"), up=False),
        "c": LiveServer(socket_address("10.244.0.4:80"), takes=False),
    }
    assert LiveServers().updated(servers).routed == {"10.244.0.2", "10.244.0.3"}
    assert count_of_states(f"New server registered.\n\n{STATE}") == 1


def test_a_new_process_begins_with_what_is_known_of_the_servers_that_stay() -> None:
    moved = ProxyServer("a", socket_address("10.244.0.9:80"))
    kept = kept_state(STATE, [web(moved, B, ProxyServer("c", socket_address("10.244.0.4:80")))])
    assert kept == HEAD + "2 web 2 b 10.244.0.3 0 0 1 1 1 6 3 2 6 0 0 0 - 80 - 0 0 - - 0\n"
    assert kept_state("", [web(A)]) == "1\n"


def test_a_refusal_is_told_in_haproxys_words() -> None:
    assert refusals(f"New server registered.\n\nunknown keyword 'x'.\n\n{STATE}") == "unknown keyword 'x'."
    assert refusals("Server deleted.\n\nServer still has connections attached to it, cannot remove it.\n") == ""


LIST = "web.allowed"
PATH = "/etc/reconciler/sources/web.allowed"


def guarded(*networks: str, servers: tuple[ProxyServer, ...] = (A,)) -> ProxySection:
    return ProxySection("web", "listen web\n", "check", servers, sources={LIST: networks})


def test_a_network_comes_before_the_one_goes_that_it_may_be_part_of() -> None:
    section = guarded("10.244.0.2/31")
    live, before = {"a": LiveServer(A.address)}, {LIST: frozenset({"10.244.0.2/32"})}
    assert changes(section, live, before) == [f"add acl {PATH} 10.244.0.2/31", f"del acl {PATH} 10.244.0.2/32"]
    assert not as_wanted(section, live, before)
    assert as_wanted(section, live, {LIST: frozenset({"10.244.0.2/31"})})


def test_the_networks_are_right_before_a_pod_comes_and_as_before_until_one_has_gone() -> None:
    before = {LIST: frozenset({"10.244.0.9/32"})}
    coming = changes(guarded(servers=(A, B)), {"a": LiveServer(A.address)}, before)
    assert [said.split()[0] for said in coming] == ["del", "add", "enable", "set"]
    going = changes(guarded("0.0.0.0/0", servers=()), {"a": LiveServer(A.address)}, before)
    assert [said.split()[:2] for said in going] == [
        ["set", "server"],
        ["del", "server"],
        ["add", "acl"],
        ["del", "acl"],
    ]


def test_a_list_that_haproxy_lacks_is_not_an_empty_one() -> None:
    live = {"a": LiveServer(A.address)}
    assert as_wanted(guarded(), live, {LIST: frozenset()})
    assert not as_wanted(guarded(), live, {})


def test_lists_are_read_by_their_order_at_the_end_of_all_replies() -> None:
    names = ["one", "none", "lacking", "two"]
    replies = (
        f"New server registered.\n\n\n{STATE}\n0x55d0 10.0.0.1/32\n0x7f00 10.0.0.4/31\n\n\n"
        "Unknown ACL identifier. Please use #<id> or <file>.\n\n0x5 0.0.0.0/0\n\n"
    )
    assert read_sources(replies, names) == {
        "one": {"10.0.0.1/32", "10.0.0.4/31"},
        "none": frozenset(),
        "two": {"0.0.0.0/0"},
    }
    assert read_sources("", names) == read_sources("\n", names) == {}
    assert read_sources(replies, []) == {}
    assert shown_sources(["web.allowed"]) == [f"show acl {PATH}"]
