"""The name servers' files of the cluster whose haproxy.cfg is beside them."""

from collections.abc import Callable

from msgspec.structs import replace

from reconciler.model.api.core.service import Service, ServicePort
from reconciler.services.naming import NameServers
from tests.golden.test_haproxy_files import ENDPOINTS, HEADLESS, RECORDS, SERVICES
from tests.simulated import with_kinds
from tests.unit.services.test_layer import desired

Golden = Callable[[str, str], None]


def test_two_services_and_one_headless_whose_pod_has_a_name(golden: Golden) -> None:
    peers = SERVICES[HEADLESS]
    named = replace(peers, spec=replace(peers.spec, ports=(ServicePort(7000, "gossip"),)))
    endpoints = {**ENDPOINTS, HEADLESS: (replace(ENDPOINTS[HEADLESS][0], hostname="peer-0"),)}
    wanted = with_kinds(desired(), {Service: {**SERVICES, HEADLESS: named}})
    dns = NameServers().named(wanted, RECORDS, endpoints).dns
    golden("dns/dnsmasq.conf", dns.config)
    for file, text in dns.hosts.items():
        golden(f"dns/hosts/{file}", text)
    for file, text in dns.answers.items():
        golden(f"dns/answers/{file}", text)


def test_no_service_at_all(golden: Golden) -> None:
    golden("dns/empty.conf", NameServers().named(with_kinds(desired(), {Service: {}}), {}, {}).dns.config)
