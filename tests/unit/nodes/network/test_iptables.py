"""Our chains in iptables: only what differs is written, at once, and nothing of others is touched."""

import msgspec

from reconciler.model.policies import Allowed, NodePolicy, PodPolicy, RuleSet
from reconciler.model.setups import NodeNetwork, Route
from reconciler.nodes.network.iptables import (
    RuleTable,
    difference,
    filter_table,
    forward_rules,
    nat_rules,
    peers_let_in,
    read_rules,
)

ROUTES = (Route("10.244.2.0/24", "192.0.2.2"), Route("10.244.3.0/24", "192.0.2.3"))
PEERS = ("192.0.2.2", "192.0.2.3")
NETWORK = NodeNetwork("10.244.1.0/24", "10.244.0.0/16", ROUTES, ())
ALWAYS = {"RECONCILER-FWD", "RECONCILER-SVC", "RECONCILER-VXLAN"}
DOCKERS = """\
-P FORWARD DROP
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-USER -s 203.0.113.7/32 -j DROP
"""
TABLE = RuleTable(
    "filter", {"RECONCILER-FWD": ["-A RECONCILER-FWD -j ACCEPT"]}, [("DOCKER-USER", "RECONCILER-FWD")]
)


def in_force(table: RuleTable) -> dict[str, list[str]]:
    """The rules of a host that has it."""
    has: dict[str, list[str]] = {name: list(rules) for name, rules in table.chains.items()}
    for hook, chain in table.jumps:
        has.setdefault(chain, [])
        has.setdefault(hook, []).append(f"-A {hook} -j {chain}")
    return has


def test_pods_keep_their_address_inside_the_cluster_only() -> None:
    assert nat_rules(NETWORK) == ["-A RECONCILER-POST -s 10.244.1.0/24 ! -d 10.244.0.0/16 -j MASQUERADE"]


def test_the_peers_may_reach_the_pods() -> None:
    rules = forward_rules(NETWORK, PEERS)
    assert "-A RECONCILER-FWD -s 192.0.2.2/32 -d 10.244.1.0/24 -j ACCEPT" in rules
    assert len(rules) == 4


def test_nobody_but_the_peers_may_send_vxlan() -> None:
    assert filter_table(NETWORK, PEERS).chains["RECONCILER-VXLAN"] == [
        "-A RECONCILER-VXLAN -s 192.0.2.2/32 -p udp -m udp --dport 8482 -j ACCEPT",
        "-A RECONCILER-VXLAN -s 192.0.2.3/32 -p udp -m udp --dport 8482 -j ACCEPT",
        "-A RECONCILER-VXLAN -p udp -m udp --dport 8482 -j DROP",
    ]
    for alone in (
        msgspec.structs.replace(NETWORK, mode="routes"),
        msgspec.structs.replace(NETWORK, cluster_routes=()),
    ):
        assert "RECONCILER-VXLAN" not in filter_table(alone, PEERS).chains


def test_a_peer_whose_address_is_not_known_is_none_that_is_gone() -> None:
    network = msgspec.structs.replace(NETWORK, policy=POLICY)
    chains = filter_table(network, ()).chains
    assert chains["RECONCILER-VXLAN"] == ["-A RECONCILER-VXLAN -p udp -m udp --dport 8482 -j DROP"]
    assert "-A RECONCILER-FWD -s 10.244.3.1/32 -d 10.244.1.0/24 ! -i rcn0 -j ACCEPT" in chains["RECONCILER-FWD"]


def test_the_chain_tells_which_peers_it_lets_in() -> None:
    network = msgspec.structs.replace(NETWORK, policy=POLICY)
    assert peers_let_in(filter_table(network, PEERS).chains) == set(PEERS)
    assert peers_let_in({}) == set()


def test_a_chain_and_its_jump_come_in_one_transaction() -> None:
    text, words = difference(TABLE, read_rules(DOCKERS))
    assert text.splitlines() == [
        "*filter",
        ":RECONCILER-FWD - [0:0]",
        "-A RECONCILER-FWD -j ACCEPT",
        "-I DOCKER-USER -j RECONCILER-FWD",
        "COMMIT",
    ]
    assert words == ("iptables chain RECONCILER-FWD", "iptables jump from DOCKER-USER to RECONCILER-FWD")


def test_what_is_right_is_left_alone() -> None:
    shown = DOCKERS + "-N RECONCILER-FWD\n-A DOCKER-USER -j RECONCILER-FWD\n-A RECONCILER-FWD -j ACCEPT\n"
    assert difference(TABLE, read_rules(shown)) == ("", ())


def test_a_jump_that_no_packet_gets_to_goes_to_the_top() -> None:
    shown = DOCKERS + "-A DOCKER-USER -j RETURN\n-A DOCKER-USER -j RECONCILER-FWD\n"
    shown += "-N RECONCILER-FWD\n-A RECONCILER-FWD -j ACCEPT\n"
    text, words = difference(TABLE, read_rules(shown))
    assert text.splitlines()[1:-1] == ["-D DOCKER-USER -j RECONCILER-FWD", "-I DOCKER-USER -j RECONCILER-FWD"]
    assert words == ("iptables jump from DOCKER-USER to RECONCILER-FWD",)


def test_after_a_flush_dockers_own_place_for_rules_comes_back_too() -> None:
    whole = RuleTable("filter", TABLE.chains, [("FORWARD", "DOCKER-USER"), *TABLE.jumps])
    text, _ = difference(whole, read_rules("-P FORWARD DROP\n"))
    assert ":DOCKER-USER - [0:0]" in text
    assert "-I FORWARD -j DOCKER-USER" in text


def test_chains_of_ours_that_are_not_wanted_go_with_every_jump_to_them() -> None:
    shown = (
        f"{DOCKERS}-N RECONCILER-FWD\n-N RECONCILER-OLD\n-N RECONCILER-OLDER\n-A DOCKER-USER -j RECONCILER-FWD\n"
        "-A INPUT -j RECONCILER-OLD\n-A RECONCILER-FWD -j RECONCILER-OLD\n-A RECONCILER-OLD -j RECONCILER-OLDER\n"
    )
    text, words = difference(TABLE, read_rules(shown))
    assert text.splitlines() == [
        "*filter",
        ":RECONCILER-FWD - [0:0]",
        ":RECONCILER-OLD - [0:0]",
        ":RECONCILER-OLDER - [0:0]",
        "-A RECONCILER-FWD -j ACCEPT",
        "-D INPUT -j RECONCILER-OLD",
        "-X RECONCILER-OLD",
        "-X RECONCILER-OLDER",
        "COMMIT",
    ]
    assert len(words) == 3


def test_nothing_of_others_is_removed_with_ours() -> None:
    shown = f"{DOCKERS}-N RECONCILER-FWD\n-A DOCKER-USER -j RECONCILER-FWD\n-A RECONCILER-FWD -j ACCEPT\n"
    text, _ = difference(RuleTable("filter", {}, ()), read_rules(shown))
    removed = [line for line in text.splitlines() if line.startswith(("-D", "-X", ":"))]
    assert removed == [":RECONCILER-FWD - [0:0]", "-D DOCKER-USER -j RECONCILER-FWD", "-X RECONCILER-FWD"]


POLICY = NodePolicy(
    (
        RuleSet(
            "aaa", (Allowed("0.0.0.0/0", "tcp", 80, 80), Allowed("10.244.2.0/31"), Allowed("192.0.2.0/24", "udp"))
        ),
        RuleSet("bbb", (Allowed("10.96.0.10/32", "udp", 50, 60),)),
    ),
    (PodPolicy("10.244.1.2", "aaa"), PodPolicy("10.244.1.3", "aaa", "bbb")),
)


def test_pods_with_the_same_rules_share_a_chain_that_ends_what_it_does_not_allow() -> None:
    table = filter_table(msgspec.structs.replace(NETWORK, policy=POLICY), PEERS)
    assert table.chains["RECONCILER-I-aaa"] == [
        "-A RECONCILER-I-aaa -p tcp -m tcp --dport 80 -j RETURN",
        "-A RECONCILER-I-aaa -s 10.244.2.0/31 -j RETURN",
        "-A RECONCILER-I-aaa -s 192.0.2.0/24 -p udp -j RETURN",
        "-A RECONCILER-I-aaa -j DROP",
    ]
    assert table.chains["RECONCILER-E-bbb"] == [
        "-A RECONCILER-E-bbb -d 10.96.0.10/32 -p udp -m udp --dport 50:60 -j RETURN",
        "-A RECONCILER-E-bbb -j DROP",
    ]
    assert set(table.chains) == {"RECONCILER-I-aaa", "RECONCILER-E-bbb"} | ALWAYS


def test_replies_and_hosts_go_before_every_policy_and_policies_before_the_rest() -> None:
    network = msgspec.structs.replace(NETWORK, policy=POLICY, cluster_routes=ROUTES[:1])
    rules = forward_rules(network, PEERS[:1])
    assert [rule.removeprefix("-A RECONCILER-FWD ") for rule in rules] == [
        "-d 10.244.1.0/24 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-s 10.244.1.0/24 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-s 10.244.2.1/32 -d 10.244.1.0/24 ! -i rcn0 -j ACCEPT",
        "-s 192.0.2.2/32 -d 10.244.1.0/24 ! -i rcn0 -j ACCEPT",
        "-s 10.244.1.3/32 -j RECONCILER-E-bbb",
        "-d 10.244.1.2/32 -j RECONCILER-I-aaa",
        "-d 10.244.1.3/32 -j RECONCILER-I-aaa",
        "-s 192.0.2.2/32 -d 10.244.1.0/24 -j ACCEPT",
        "-s 10.244.0.0/16 -d 10.244.1.0/24 -j ACCEPT",
        "-s 10.244.1.0/24 -d 10.244.0.0/16 -j ACCEPT",
    ]


def test_a_pod_that_comes_rewrites_no_rules_of_others() -> None:
    before = filter_table(msgspec.structs.replace(NETWORK, policy=POLICY), PEERS)
    more = msgspec.structs.replace(POLICY, pods=(*POLICY.pods, PodPolicy("10.244.1.4", "aaa")))
    after = filter_table(msgspec.structs.replace(NETWORK, policy=more), PEERS)
    has = in_force(before)
    assert difference(after, has)[1] == ("iptables chain RECONCILER-FWD",)


def test_a_chains_name_fits_into_iptables() -> None:
    assert len("RECONCILER-I-" + 12 * "f") < 29


def test_each_pod_has_its_address_for_itself_where_there_is_any_policy() -> None:
    assert "RECONCILER-SRC" not in filter_table(NETWORK, PEERS).chains
    policy = msgspec.structs.replace(POLICY, addresses=("10.244.1.2",))
    chains = filter_table(msgspec.structs.replace(NETWORK, policy=policy), PEERS).chains
    assert chains["RECONCILER-SRC"] == [
        "-A RECONCILER-SRC -s 10.244.1.2/32 -m mac ! --mac-source 02:42:0a:f4:01:02 -j DROP",
        "-A RECONCILER-SRC ! -s 10.244.1.0/24 -j DROP",
    ]
    for chain in ("RECONCILER-FWD", "RECONCILER-SVC"):
        assert chains[chain][0] == f"-A {chain} -i rcn0 -j RECONCILER-SRC"
