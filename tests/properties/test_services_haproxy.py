"""Laws of the service layer: whatever manifests and hosts say, HAProxy's file holds the model and nothing else."""

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.proxy import ProxySection, config_text
from reconciler.model.service_options import ServiceOptions
from reconciler.services.balancing import Layout, lay_out
from reconciler.services.haproxy import guarded, node_proxy
from reconciler.services.parts import section

Case = tuple[Ref, dict[str, str], ServiceSpec, ServiceOptions, str, tuple[Endpoint, ...]]
"""A service, its annotations, spec, options and cluster IP, and the pods it selects."""

Listens = dict[str, tuple[set[str], dict[str, str]]]
"""Section -> (binds, server -> address)."""

SETTINGS = {
    ("balance",),
    ("hash-type", "consistent"),
    ("stick", "on", "src"),
    ("stick-table", "type", "ip", "size", "200k", "expire"),
    ("tcp-request", "connection", "reject", "unless", "allowed"),
    ("http-request", "disable-l7-retry", "unless"),
    ("acl", "allowed", "src"),
    ("acl", "policy_allowed", "src", "-f"),
    ("acl", "policy_denied", "src", "-f"),
    ("tcp-request", "connection", "reject", "unless", "policy_allowed"),
    ("tcp-request", "connection", "reject", "if", "policy_denied"),
}
"""How the lines begin that a service's fields and policies may add to its section."""

GOOD = Ref("Service", "good", "web")
GOOD_SECTION = ({"10.96.255.254:80"}, {"web-0": "10.244.255.2:8080"})

_INJECTIONS = (
    "x\n    server evil 192.0.2.66:80",
    "x\nglobal\n    user root",
    "x\r    bind :1",
    'x" y',
    "$HOME",
    "x # y",
    "a_b",
    "x\\\nstats socket /tmp/x level admin",
    "${PATH}",
    "x\u2028bind",
)
names = st.one_of(
    st.sampled_from(["a", "b", "web", "web-0", "x" * 63, "80"]),
    st.sampled_from(_INJECTIONS),
    st.text("ab0-_.: \n\r\t\"'#$\\{}\0\u2028é", max_size=6),
)
ips = st.one_of(
    st.builds("10.96.0.{}".format, st.integers(1, 6)),
    st.builds("10.244.0.{}".format, st.integers(1, 6)),
    st.sampled_from(["", "None", "0.0.0.0", "127.0.0.1", "unix@/run/docker.sock", "10.96.0.1 process all", "::1"]),
)
ports = st.sampled_from([0, 80, 81, 8080, 70000])
endpoints = st.builds(
    Endpoint, uid=names, pod=names, node=names, ip=ips, ports=st.tuples(ports, ports), ready=st.booleans()
)
service_ports = st.builds(
    ServicePort, port=ports, name=st.one_of(st.just(""), names), node_port=ports, app_protocol=names
)
policies = st.sampled_from(["Cluster", "Local"])
specs = st.builds(
    ServiceSpec,
    ports=st.lists(service_ports, max_size=2).map(tuple),
    type=st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
    external_ips=st.lists(ips, max_size=2).map(tuple),
    session_affinity=st.sampled_from(["None", "ClientIP"]),
    internal_traffic_policy=policies,
    external_traffic_policy=policies,
    load_balancer_source_ranges=st.lists(st.one_of(ips, st.just("192.0.2.0/24")), max_size=2).map(tuple),
)
options = st.builds(
    ServiceOptions,
    protocol=st.sampled_from(["", "tcp", "http"]),
    proxy_protocol=st.booleans(),
    slow_start=st.integers(0, 99_999),
    balance=st.sampled_from(["roundrobin", "leastconn", "source", "random"]),
)
cases = st.lists(
    st.tuples(
        st.builds(Ref, kind=st.just("Service"), namespace=names, name=names),
        st.dictionaries(names, names, max_size=2),
        specs,
        options,
        ips,
        st.lists(endpoints, max_size=4).map(tuple),
    ),
    max_size=4,
)


law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy; a law is not about time."""


class Served(Struct):
    layout: Layout
    sections: list[ProxySection]

    def text(self) -> str:
        return config_text(node_proxy("lab/proxy:1", self.sections))


def _served(case: list[Case], shuffled: bool = False, allowed: tuple[str, ...] = ("0.0.0.0/0",)) -> Served:
    """As node-1, an edge, has it, where policies govern what every service's pods may have."""
    services = {GOOD: Service(ObjectMeta("web", "good"), ServiceSpec(ports=(ServicePort(80, "http"),)))}
    records = {GOOD: ServiceRecord("10.96.255.254")}
    selected: dict[Ref, tuple[Endpoint, ...]] = {
        GOOD: (Endpoint("g", "web-0", "node-1", "10.244.255.2", (8080,), True),)
    }
    for ref, annotations, spec, chosen, ip, found in reversed(case) if shuffled else case:
        meta = ObjectMeta(ref.name, ref.namespace, annotations=annotations, labels=annotations)
        if ref not in services:
            services[ref] = Service(meta, spec, chosen)
            records[ref] = ServiceRecord(ip)
            selected[ref] = found
    layout = lay_out(services, records, "10.96.0.0/16")
    made = [section(part, "node-1", True, selected[part.service or GOOD]) for part in layout.parts]
    return Served(layout, [guarded(each, allowed, ()) for each in made if each is not None])


def _read_back(config: str) -> Listens:
    """A reader of haproxy.cfg that shares nothing with its writer; anything unknown in it fails the test."""
    preamble, *sections = config.split("\nlisten ")
    empty = config_text(node_proxy("lab/proxy:1", []))
    assert preamble.splitlines()[3:] == empty.splitlines()[3:]
    found: Listens = {}
    for each in sections:
        first, *lines = each.rstrip("\n").split("\n")
        name, _, defaults = first.partition(" from ")
        assert defaults in ("tcp", "http")
        assert name not in found
        binds, servers = found.setdefault(name, (set(), {}))
        for line in lines:
            match line.split():
                case ["bind", address] | ["bind", address, "transparent"]:
                    binds.add(address)
                case ["server", server, address, "check", *_]:
                    assert server not in servers
                    servers[server] = address
                case words:
                    assert any(tuple(words[: len(known)]) == known for known in SETTINGS), words
    return found


@pytest.mark.rule(4)
@law
@given(cases)
def test_the_file_has_the_models_directives_and_no_other(case: list[Case]) -> None:
    served = _served(case)
    found = _read_back(served.text())
    assert {name: servers for name, (_, servers) in found.items()} == {
        section.name: {server.name: str(server.address) for server in section.servers}
        for section in served.sections
    }


@law
@given(cases, st.lists(st.sampled_from(["10.244.0.0/16", "192.0.2.7/32", "0.0.0.0/0"]), unique=True))
def test_who_may_connect_is_in_the_lists_and_never_in_the_file(case: list[Case], allowed: list[str]) -> None:
    before, after = _served(case), _served(case, allowed=tuple(allowed))
    assert after.text().splitlines()[1:] == before.text().splitlines()[1:]
    named = {name for one in after.sections for name in one.sources}
    assert {f"/etc/reconciler/sources/{name}" for name in named} == {
        line.split()[-1] for line in after.text().splitlines() if " src -f " in line
    }
    assert all(re.fullmatch(r"[a-z0-9_-]+\.(allowed|denied)", name) for name in named)


@pytest.mark.fault(65)
@law
@given(cases)
def test_whatever_else_is_asked_for_a_good_service_is_served(case: list[Case]) -> None:
    assert _read_back(_served(case).text())["good_web_http"] == GOOD_SECTION


@law
@given(cases)
def test_every_address_is_bound_once_and_is_the_services_the_hosts_or_a_foreign_one(case: list[Case]) -> None:
    served = _served(case)
    text = served.text()
    binds = [bind for found, _ in _read_back(text).values() for bind in found]
    assert max(Counter(binds).values()) == 1
    for bind in binds:
        ours = bind.startswith("0.0.0.0:") or bind.rpartition(":")[0] in served.layout.addresses
        assert ours or f"bind {bind} transparent\n" in text


@law
@given(cases)
def test_only_ready_pods_are_routed_to(case: list[Case]) -> None:
    ready = {endpoint.ip for *_, found in case for endpoint in found if endpoint.ready} | {"10.244.255.2"}
    routed = _served(case).text().splitlines()[2].removeprefix("# routed:").split()
    assert set(routed) <= ready
    assert routed == sorted(routed)


@law
@given(cases)
def test_the_order_in_which_services_are_read_changes_nothing(case: list[Case]) -> None:
    unique = list({entry[0]: entry for entry in case}.values())
    assert _served(unique).text() == _served(unique, shuffled=True).text()
