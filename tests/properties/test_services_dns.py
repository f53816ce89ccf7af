"""Laws of the names: whatever manifests and hosts say, the name servers' files hold the model and nothing else."""

import re
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.services.naming import NameServers, NameServerSetup, zone_of
from tests.properties.test_services_haproxy import ips, law, names, ports
from tests.simulated import with_kinds
from tests.unit.services.test_layer import desired

DOMAIN = "svc.cluster.local"
EMPTY = NameServers().named(with_kinds(desired(), {Service: {}}), {}, {}).dns
SERVERS = "servers"

endpoints = st.builds(
    Endpoint,
    uid=names,
    pod=names,
    node=names,
    ip=ips,
    ports=st.tuples(ports, ports),
    ready=st.booleans(),
    hostname=st.one_of(st.just(""), names),
)
cases = st.dictionaries(
    st.builds(Ref, kind=st.just("Service"), namespace=names, name=names),
    st.tuples(
        st.lists(  # Validation refuses two of one name.
            st.builds(ServicePort, port=ports, name=st.one_of(st.just(""), names)),
            max_size=2,
            unique_by=lambda port: port.name,
        ),
        ips,
        st.lists(endpoints, max_size=4).map(tuple),
    ),
    max_size=4,
)
Case = Mapping[Ref, tuple[list[ServicePort], str, tuple[Endpoint, ...]]]


def services_of(case: Case) -> dict[Ref, Service]:
    """Each second one is headless, and one without ports stands for another name."""
    return {
        ref: Service(ObjectMeta(ref.name, ref.namespace), _spec(tuple(wanted), ip))
        for ref, (wanted, ip, _) in case.items()
    }


def _spec(wanted: tuple[ServicePort, ...], ip: str) -> ServiceSpec:
    if not wanted:
        return ServiceSpec(type="ExternalName", external_name=ip)
    return ServiceSpec(ports=wanted, cluster_ip="None" if len(ip) % 2 else ip)


def named(case: Case, naming: NameServers | None = None) -> NameServerSetup:
    wanted = with_kinds(desired(), {Service: services_of(case)})
    return (naming or NameServers()).named(wanted, {}, {ref: found for ref, (_, _, found) in case.items()})


def records(hosts: Mapping[str, str]) -> set[tuple[str, str]]:
    """A reader of hosts files that shares nothing with their writer; anything unknown in them fails the test."""
    found = set()
    for text in hosts.values():
        for line in text.splitlines():
            if line.startswith("# "):
                continue
            ip, *owned = line.split(" ")
            assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", ip)
            assert owned
            found |= {(ip, name) for name in owned}
    return found


@law
@given(cases)
def test_the_files_have_the_models_records_and_no_other(case: Case) -> None:
    dns = named(case).dns
    hosts, srvs, answers = set(), set(), set()
    for ref, service in services_of(case).items():
        try:
            zone = zone_of(ref, service, ServiceRecord(), case[ref][2], "cluster.local")
        except ValueError:
            continue
        hosts |= {(host.ip, name) for host in zone.hosts for name in host.names}
        srvs |= {f"srv-host={srv.name},{srv.target},{srv.port},0,1" for srv in zone.srvs}
        srvs |= {f"server=/{name}/127.83.82.86#5300" for name in zone.delegated}
        answers |= {f"srv {srv.name} {srv.target} {srv.port}" for srv in zone.ports}
        answers |= {f"cname {alias.name} {alias.target}" for alias in zone.aliases}
    own = {file: text for file, text in dns.hosts.items() if (file, text) != (SERVERS, EMPTY.hosts[SERVERS])}
    assert records(own) == hosts
    assert {line for text in dns.answers.values() for line in text.splitlines()} == answers
    assert dns.config.split("\n")[:-2] == [
        *EMPTY.config.split("\n")[:-2],
        *dns.config.split("\n")[-2 - len(srvs) : -2],
    ]
    assert set(dns.config.split("\n")) - set(EMPTY.config.split("\n")) <= srvs | {
        f"txt-record={dns.config_name},reconciler"
    }


@law
@given(cases)
def test_every_name_is_below_the_clusters_domain_and_every_file_is_in_its_directory(case: Case) -> None:
    dns = named(case).dns
    assert all(name.endswith(f".{DOMAIN}") for _, name in records(dns.hosts))
    assert all(re.fullmatch(r"\d\d|servers", file) for file in (*dns.hosts, *dns.answers))


@law
@given(cases, cases)
def test_what_was_named_before_makes_no_difference(before: Case, case: Case) -> None:
    naming = NameServers()
    named(before, naming)
    after = named(case, naming)
    assert after == named(case)
    assert named(dict(reversed(list(case.items()))), naming) is after
