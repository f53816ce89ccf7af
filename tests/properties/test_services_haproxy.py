"""Laws of the service layer: whatever manifests and hosts say, HAProxy's file holds the model and nothing else."""

from collections.abc import Sequence
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.objects import ObjectMeta, Service, ServicePort, ServiceSpec
from reconciler.model.plan import Endpoint
from reconciler.model.proxy import config_text
from reconciler.services.balancing import Balanced, balance
from reconciler.services.haproxy import Listen, check_options, node_proxy

Case = tuple[Ref, dict[str, str], list[ServicePort], Literal["ClusterIP", "NodePort"], str, tuple[Endpoint, ...]]
"""A service, its annotations, ports, type and cluster IP, and the pods it selects."""

Listens = dict[str, tuple[set[str], dict[str, str]]]
"""Section -> (binds, server -> address)."""

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
cases = st.lists(
    st.tuples(
        st.builds(Ref, kind=st.just("Service"), namespace=names, name=names),
        st.dictionaries(names, names, max_size=2),
        st.lists(
            st.builds(ServicePort, port=ports, name=st.one_of(st.just(""), names), node_port=ports), max_size=2
        ),
        st.sampled_from(["ClusterIP", "NodePort"]),
        ips,
        st.lists(endpoints, max_size=4).map(tuple),
    ),
    max_size=4,
)


law = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy; a law is not about time."""


def _balanced(case: list[Case], shuffled: bool = False) -> Balanced:
    services = {GOOD: Service(ObjectMeta("web", "good"), ServiceSpec(ports=(ServicePort(80, "http"),)))}
    records = {GOOD: ServiceRecord("10.96.255.254")}
    selected: dict[Ref, tuple[Endpoint, ...]] = {
        GOOD: (Endpoint("g", "web-0", "node-1", "10.244.255.2", (8080,), True),)
    }
    for ref, annotations, service_ports, kind, ip, found in reversed(case) if shuffled else case:
        meta = ObjectMeta(ref.name, ref.namespace, annotations=annotations, labels=annotations)
        if ref not in services:
            services[ref] = Service(meta, ServiceSpec(ports=tuple(service_ports), type=kind))
            records[ref] = ServiceRecord(ip)
            selected[ref] = found
    return balance(services, records, selected, "10.96.0.0/16")


def _render(listens: Sequence[Listen]) -> str:
    return config_text(node_proxy("lab/proxy:1", listens))


def _read_back(config: str) -> Listens:
    """A reader of haproxy.cfg that shares nothing with its writer; anything unknown in it fails the test."""
    preamble, *sections = config.split("\nlisten ")
    assert preamble.splitlines()[3:] == _render(()).splitlines()[3:]
    options = check_options(len(sections)).split()
    found: Listens = {}
    for section in sections:
        name, *lines = section.rstrip("\n").split("\n")
        assert name not in found
        binds, servers = found.setdefault(name, (set(), {}))
        for line in lines:
            match line.split():
                case ["bind", address]:
                    binds.add(address)
                case ["server", server, address, *rest]:
                    assert server not in servers
                    assert rest == options
                    servers[server] = address
                case other:
                    raise AssertionError(f"a directive that nobody asked for: {other}")
    return found


@law
@given(cases)
def test_the_file_has_the_models_directives_and_no_other(case: list[Case]) -> None:
    balanced = _balanced(case)
    assert _read_back(_render(balanced.listens)) == {
        listen.name: (
            {str(bind) for bind in listen.binds},
            {server.name: str(server.address) for server in listen.servers},
        )
        for listen in balanced.listens
    }


@law
@given(cases)
def test_whatever_else_is_asked_for_a_good_service_is_served(case: list[Case]) -> None:
    assert _read_back(_render(_balanced(case).listens))["good_web_http"] == GOOD_SECTION


@law
@given(cases)
def test_every_bind_is_a_service_address_or_a_node_port_and_belongs_to_one_section(case: list[Case]) -> None:
    balanced = _balanced(case)
    binds = [str(bind) for listen in balanced.listens for bind in listen.binds]
    assert len(binds) == len(set(binds))
    assert all(bind.startswith("0.0.0.0:") or bind.rpartition(":")[0] in balanced.addresses for bind in binds)


@law
@given(cases)
def test_only_ready_pods_are_routed_to(case: list[Case]) -> None:
    ready = {endpoint.ip for *_, found in case for endpoint in found if endpoint.ready} | {"10.244.255.2"}
    routed = _render(_balanced(case).listens).splitlines()[2].removeprefix("# routed:").split()
    assert set(routed) <= ready
    assert routed == sorted(routed)


@law
@given(cases)
def test_the_order_in_which_services_are_read_changes_nothing(case: list[Case]) -> None:
    unique = list({entry[0]: entry for entry in case}.values())
    assert _balanced(unique) == _balanced(unique, shuffled=True)
