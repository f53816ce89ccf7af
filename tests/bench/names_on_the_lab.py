"""How soon a name answers for what has changed: a real host, its two name servers, one session to it."""

import time
from collections.abc import Iterator

from msgspec.structs import replace

from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.setups import NodeDns
from reconciler.services.naming import NameServers
from tests.bench.bars import Measured, at_most, p50, p99
from tests.lab.conftest import restore
from tests.node_host import Host, connect, node_of, set_up, setup
from tests.own_lab import own_lab
from tests.simulated import with_kinds
from tests.unit.services.test_layer import desired

SERVICES, HEADLESS, PODS = 900, 100, 5
CHANGES = 120


def everything() -> Iterator[Measured]:
    lab = own_lab()
    was_up = lab.is_up()
    lab.up(nodes=max(1, len(lab.records)))
    restore(lab)
    try:
        with set_up(connect(node_of(lab), lab)) as host:
            yield _changes(host, "", "pod of a headless service")
            yield _changes(host, "http", "port of such a pod (SRV)")
    finally:
        if was_up:
            restore(lab)
        else:
            lab.down()


def _changes(host: Host, port: str, what: str) -> Measured:
    """From the change to its names, to both servers' answers for it, which the session has read back."""
    wanted, naming = _Cluster(port), NameServers()
    _ensure(host, wanted.dns(naming, 0))
    waits = []
    for number in range(1, CHANGES + 1):
        began = time.monotonic()
        _ensure(host, wanted.dns(naming, number))
        waits.append((time.monotonic() - began) * 1000)
    detail = f" (p50 {p50(waits):.0f} ms, {SERVICES + HEADLESS} services, n={CHANGES})"
    return at_most(f"{what} → answered by both name servers, p99", p99(waits), 50, "ms", detail)


def _ensure(host: Host, dns: NodeDns) -> None:
    network = setup().network
    with_servers = replace(network, addresses=(*network.addresses, "10.96.0.11"))
    host.ensure(replace(setup(), network=with_servers, dns=dns))
    host.told.wait_for(lambda: host.look().dns.fingerprint == dns.fingerprint)


class _Cluster:
    """Its first headless service gets another pod with every change."""

    def __init__(self, port: str) -> None:
        self._virtual = {Ref("Service", "shop", f"v{n}"): n for n in range(SERVICES)}
        self._headless = {Ref("Service", "shop", f"h{n}"): n for n in range(HEADLESS)}
        ports = (ServicePort(80, port),)
        self._services = {
            **{ref: Service(ObjectMeta(ref.name, "shop"), ServiceSpec(ports)) for ref in self._virtual},
            **{
                ref: Service(ObjectMeta(ref.name, "shop"), ServiceSpec(ports, cluster_ip="None"))
                for ref in self._headless
            },
        }
        self._records = {
            ref: ServiceRecord(f"10.96.{n // 200 + 1}.{n % 200 + 1}") for ref, n in self._virtual.items()
        }
        self._endpoints = {
            ref: tuple(_pod(f"10.244.{n + 1}.{number + 2}") for number in range(PODS))
            for ref, n in self._headless.items()
        }

    def dns(self, naming: NameServers, change: int) -> NodeDns:
        first = next(iter(self._headless))
        endpoints = {**self._endpoints, first: (*self._endpoints[first][1:], _pod(f"10.244.200.{change + 2}"))}
        wanted = with_kinds(desired(), {Service: self._services})
        return naming.named(wanted, self._records, endpoints).dns


def _pod(ip: str) -> Endpoint:
    return Endpoint(ip, f"p-{ip}", "node-1", ip, (8080,), ready=True)
