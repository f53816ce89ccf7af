"""Which names a service has, and when the name servers' files are the very same as before."""

from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.setups import NodeDns
from reconciler.services.dns import NamedHost, Srv, Zone
from reconciler.services.naming import NameServers, zone_of
from tests.simulated import with_kinds
from tests.unit.services.test_layer import desired

WEB, DB, PEERS = (Ref("Service", "shop", name) for name in ("web", "db", "peers"))
HTTP = ServicePort(80, "http", target_port=8080)


def service(ref: Ref, *ports: ServicePort, cluster_ip: str = "") -> Service:
    return Service(ObjectMeta(ref.name, ref.namespace), ServiceSpec(ports=ports, cluster_ip=cluster_ip))


def endpoint(ip: str, ports: tuple[int, ...] = (8080,), ready: bool = True, hostname: str = "") -> Endpoint:
    return Endpoint(f"u-{ip}", f"pod-{ip}", "node-1", ip, ports, ready, hostname)


def lines(dns: NodeDns) -> set[str]:
    """Of all hosts but the name servers themselves."""
    return {line for file, text in dns.hosts.items() if file != "servers" for line in text.splitlines()}


def headless(*endpoints: Endpoint, ports: tuple[ServicePort, ...] = (HTTP,)) -> Zone:
    return zone_of(DB, service(DB, *ports, cluster_ip="None"), ServiceRecord(), endpoints, "cluster.local")


def test_a_service_with_an_address_and_its_named_ports() -> None:
    web = service(WEB, HTTP, ServicePort(9100))
    assert zone_of(WEB, web, ServiceRecord("10.96.0.1"), (endpoint("10.244.0.2"),), "cluster.local") == Zone(
        (NamedHost("10.96.0.1", ("web.shop.svc.cluster.local",)),),
        (Srv("_http._tcp.web.shop.svc.cluster.local", "web.shop.svc.cluster.local", 80),),
    )


def test_a_service_that_has_no_address_yet_has_no_name_yet() -> None:
    assert zone_of(WEB, service(WEB, HTTP), ServiceRecord(), (), "cluster.local") == Zone()


def test_a_headless_service_is_each_of_its_ready_pods() -> None:
    zone = headless(
        endpoint("10.244.1.2"), endpoint("10.244.0.2", hostname="db-0"), endpoint("10.244.0.3", ready=False)
    )
    assert zone.hosts == (
        NamedHost("10.244.0.2", ("db-0.db.shop.svc.cluster.local", "db.shop.svc.cluster.local")),
        NamedHost("10.244.1.2", ("10-244-1-2.db.shop.svc.cluster.local", "db.shop.svc.cluster.local")),
    )
    assert zone.delegated == ("_http._tcp.db.shop.svc.cluster.local",)
    assert zone.ports == (
        Srv("_http._tcp.db.shop.svc.cluster.local", "10-244-1-2.db.shop.svc.cluster.local", 8080),
        Srv("_http._tcp.db.shop.svc.cluster.local", "db-0.db.shop.svc.cluster.local", 8080),
    )


def test_a_port_that_a_pod_does_not_have_leads_nowhere() -> None:
    zone = headless(endpoint("10.244.0.2", (0,)))
    assert (len(zone.hosts), zone.ports) == (1, ())


def test_pods_at_one_address_are_named_once() -> None:
    assert len(headless(endpoint("192.0.2.1"), endpoint("192.0.2.1")).hosts) == 1


def test_a_service_whose_name_cannot_be_takes_no_other_down() -> None:
    odd = Ref("Service", "shop", "a b")
    wanted = with_kinds(desired(), {Service: {WEB: service(WEB, HTTP), odd: service(odd, HTTP)}})
    named = NameServers().named(wanted, {WEB: ServiceRecord("10.96.0.1"), odd: ServiceRecord("10.96.0.2")}, {})
    assert lines(named.dns) == {"10.96.0.1 web.shop.svc.cluster.local"}
    assert named.problems == ("Service shop/a b has no DNS names: 'a b' cannot be part of a DNS name",)


def test_a_service_that_stands_for_another_name_is_an_alias_that_the_authority_knows() -> None:
    spec = ServiceSpec(type="ExternalName", external_name="DB.example.org.")
    named = NameServers().named(
        with_kinds(desired(), {Service: {DB: Service(ObjectMeta("db", "shop"), spec)}}), {}, {}
    )
    assert lines(named.dns) == set()
    assert named.problems == ()
    assert "".join(named.dns.answers.values()) == "cname db.shop.svc.cluster.local db.example.org\n"
    assert "server=/db.shop.svc.cluster.local/127.83.82.86#5300\n" in named.dns.config


def test_the_name_servers_have_the_name_that_they_have_upstream() -> None:
    hosts = NameServers().named(desired(), {}, {}).dns.hosts
    assert hosts["servers"] == (
        "10.96.0.10 kube-dns.kube-system.svc.cluster.local\n10.96.0.11 kube-dns.kube-system.svc.cluster.local\n"
    )


def test_a_pod_of_a_headless_service_changes_its_file_alone_and_no_configuration_without_named_ports() -> None:
    naming = NameServers()
    wanted = with_kinds(
        desired(), {Service: {WEB: service(WEB, HTTP), DB: service(DB, ServicePort(5432), cluster_ip="None")}}
    )
    records = {WEB: ServiceRecord("10.96.0.1")}
    before = naming.named(wanted, records, {DB: (endpoint("10.244.0.2"),), WEB: (endpoint("10.244.0.3"),)})
    assert naming.named(wanted, records, {DB: (endpoint("10.244.0.2"),), WEB: ()}) is before
    after = naming.named(wanted, records, {DB: (endpoint("10.244.0.2"), endpoint("10.244.0.4"))})
    changed = {name for name in after.dns.hosts if after.dns.hosts[name] != before.dns.hosts[name]}
    assert len(changed) == 1
    assert lines(after.dns) - lines(before.dns) == {
        "10.244.0.4 10-244-0-4.db.shop.svc.cluster.local db.shop.svc.cluster.local"
    }
    assert after.dns.config == before.dns.config
    assert after.dns.fingerprint != before.dns.fingerprint


def test_a_pod_with_named_ports_changes_a_file_of_answers_and_no_configuration() -> None:
    naming = NameServers()
    wanted = with_kinds(desired(), {Service: {DB: service(DB, HTTP, cluster_ip="None")}})
    none, one = (naming.named(wanted, {}, {DB: found}).dns for found in ((), (endpoint("10.244.0.2"),)))
    assert (none.config, none.answers) == (one.config, {})
    assert list(one.answers.values()) == [
        "srv _http._tcp.db.shop.svc.cluster.local 10-244-0-2.db.shop.svc.cluster.local 8080\n"
    ]
    assert none.answers_name != one.answers_name
    assert none.fingerprint != one.fingerprint


def test_who_gives_a_pod_of_several_services_its_reverse_name_is_in_the_file() -> None:
    services = {ref: service(ref, cluster_ip="None") for ref in (DB, PEERS)}
    endpoints = {DB: (endpoint("10.244.0.2"),), PEERS: (endpoint("10.244.0.2"), endpoint("10.244.0.3"))}
    both = NameServers().named(with_kinds(desired(), {Service: services}), {}, endpoints).dns
    assert {line for line in lines(both) if line[0] == "#"} == {"# 10.244.0.2 is db of shop first"}
    alone = NameServers().named(with_kinds(desired(), {Service: {DB: services[DB]}}), {}, endpoints).dns
    assert not {line for line in lines(alone) if line[0] == "#"}
