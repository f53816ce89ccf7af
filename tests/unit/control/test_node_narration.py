"""What happens to a host's network is told once, also when it was unreachable in between."""

import msgspec

from reconciler.control.narration import of_nodes
from reconciler.model.observed import (
    DnsState,
    Facts,
    NetworkState,
    Observation,
    Observed,
    ProxyState,
    Reachable,
    Unreachable,
)

HOST = Reachable(Facts("engine", "20.10", "Debian", "6.1", "x86_64", 2, 1 << 30), ())


def repaired(times: int) -> Reachable:
    network = NetworkState("wanted", repaired="route to 10.244.2.0/24", repairs=times)
    return msgspec.structs.replace(HOST, network=network)


def told(before: Observation | None, after: Observation) -> list[str]:
    earlier = Observed({"node-1": before}) if before is not None else None
    return [
        event.message
        for event in of_nodes(earlier, Observed({"node-1": after}))
        if event.reason == "NetworkRepaired"
    ]


def test_each_repair_is_told() -> None:
    (message,) = told(HOST, repaired(1))
    assert message.endswith("put right: route to 10.244.2.0/24")
    assert len(told(repaired(1), repaired(2))) == 1


def test_a_peer_without_an_address_is_told_of_once_and_is_no_fault_of_the_host() -> None:
    doubtful = msgspec.structs.replace(HOST, network=NetworkState("wanted", unresolved="cannot resolve c"))
    before, after = Observed({"node-1": HOST}), Observed({"node-1": doubtful})
    assert [(event.reason, event.message) for event in of_nodes(before, after)] == [
        ("PeerUnresolved", "cannot resolve c")
    ]
    assert list(of_nodes(after, Observed({"node-1": msgspec.structs.replace(doubtful, at=2.0)}))) == []


def test_a_repair_is_not_told_again_after_a_break() -> None:
    assert told(Unreachable(1.0, "gone", repaired(1)), repaired(1)) == []
    assert len(told(Unreachable(1.0, "gone", repaired(1)), repaired(2))) == 1
    assert told(repaired(1), Unreachable(2.0, "gone", repaired(1))) == []


def refusing(**errors: str) -> Reachable:
    states = {"proxy": ProxyState, "dns": DnsState, "network": NetworkState}
    return msgspec.structs.replace(HOST, **{part: states[part](error=why) for part, why in errors.items()})


def reasons(before: Observation, after: Observation) -> list[str]:
    return [event.reason for event in of_nodes(Observed({"node-1": before}), Observed({"node-1": after}))]


def test_what_a_host_refuses_is_told_once_and_taken_back_when_it_is_over() -> None:
    assert reasons(HOST, refusing(dns="silent", proxy="no image")) == ["DnsRefused", "ProxyRefused"]
    assert reasons(HOST, refusing(dns="no image", proxy="no image")) == ["ProxyRefused"]
    assert reasons(refusing(proxy="no image"), refusing(dns="no image", proxy="no image")) == []
    assert reasons(refusing(dns="silent"), refusing(dns="silent", network="no route")) == ["NetworkRefused"]
    assert reasons(refusing(dns="silent", network="no route"), HOST) == ["NetworkRecovered", "DnsRecovered"]
