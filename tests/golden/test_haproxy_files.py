"""The haproxy.cfg of a few clusters, each accepted by HAProxy itself."""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec.structs import replace

from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.memory import ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.proxy import config_text
from reconciler.model.service_options import ServiceOptions
from reconciler.services.balancing import lay_out
from reconciler.services.haproxy import guarded, node_proxy
from reconciler.services.parts import section
from tests.haproxy_process import accepted

Golden = Callable[[str, str], None]

WEB = Ref("Service", "shop", "web")
API = Ref("Service", "shop", "api")
HEADLESS = Ref("Service", "shop", "peers")

SERVICES = {
    WEB: Service(
        ObjectMeta("web", "shop"),
        ServiceSpec(
            type="NodePort",
            ports=(ServicePort(80, "http", target_port=8080, node_port=30080), ServicePort(9100, "metrics")),
        ),
    ),
    API: Service(ObjectMeta("api", "shop"), ServiceSpec(ports=(ServicePort(8000),))),
    HEADLESS: Service(ObjectMeta("peers", "shop"), ServiceSpec(ports=(ServicePort(7000),), cluster_ip="None")),
}
RECORDS = {
    WEB: ServiceRecord("10.96.0.2", (30080, 0)),
    API: ServiceRecord("10.96.0.1"),
    HEADLESS: ServiceRecord(),
}
ENDPOINTS = {
    WEB: (
        Endpoint("u1", "web-5d9f7c-0", "node-1", "10.244.0.2", (8080, 9100), ready=True),
        Endpoint("u2", "web-5d9f7c-1", "node-2", "10.244.1.2", (8080, 0), ready=True),
        Endpoint("u3", "web-5d9f7c-2", "node-3", "10.244.2.2", (8080, 9100), ready=False),
    ),
    HEADLESS: (Endpoint("u4", "peer-0", "node-1", "10.244.0.3", (7000,), ready=True),),
}


def rendered(
    services: Mapping[Ref, Service],
    records: Mapping[Ref, ServiceRecord],
    endpoints: Mapping[Ref, tuple[Endpoint, ...]],
    edge: bool = False,
) -> str:
    """As node-1 has it."""
    parts = lay_out(services, records, "10.96.0.0/16").parts
    made = [section(part, "node-1", edge, endpoints.get(part.service or WEB, ())) for part in parts]
    return config_text(node_proxy("lab/proxy:1", [each for each in made if each is not None]))


def accepted_by_haproxy(config: str, folder: Path) -> str:
    """What HAProxy has to say against the file; nothing, if it is good."""
    path = folder / "haproxy.cfg"
    (folder / "servers.state").write_text("1\n")
    path.write_text(config.replace("/etc/reconciler", str(folder)))
    checked = subprocess.run(
        ["/usr/sbin/haproxy", "-c", "-f", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    return "" if checked.returncode == 0 and "WARNING" not in checked.stderr else checked.stderr


def test_two_services_one_without_a_ready_pod_and_one_headless(golden: Golden, tmp_path: Path) -> None:
    config = rendered(SERVICES, RECORDS, ENDPOINTS)
    golden("haproxy/shop.cfg", config)
    assert accepted_by_haproxy(config, tmp_path) == ""


def test_no_service_at_all_is_a_file_that_haproxy_runs_with(golden: Golden, tmp_path: Path) -> None:
    config = rendered({}, {}, {})
    golden("haproxy/empty.cfg", config)
    assert accepted_by_haproxy(config, tmp_path) == ""


def test_every_way_to_be_reached_and_balanced_on_an_edge(golden: Golden, tmp_path: Path) -> None:
    web = SERVICES[WEB]
    spec = replace(
        web.spec,
        type="LoadBalancer",
        external_ips=("203.0.113.9",),
        external_traffic_policy="Local",
        load_balancer_source_ranges=("192.0.2.0/24", "198.51.100.7/32"),
        session_affinity="ClientIP",
        ports=(*web.spec.ports, ServicePort(8081, "grpc", app_protocol="grpc")),
    )
    options = ServiceOptions(slow_start=30_000, proxy_protocol=True, balance="leastconn")
    api = replace(SERVICES[API], options=replace(options, protocol="http"))
    pods = tuple(replace(pod, ports=(*pod.ports, 8081)) for pod in ENDPOINTS[WEB])
    services = {WEB: replace(web, spec=spec), API: api}
    config = rendered(services, RECORDS, {WEB: pods, API: pods}, edge=True)
    golden("haproxy/edge.cfg", config)
    assert accepted_by_haproxy(config, tmp_path) == ""


def test_services_that_policies_guard_by_lists_beside_the_file(golden: Golden, tmp_path: Path) -> None:
    allowed = ("10.244.0.0/31", "127.0.0.0/8", "192.0.2.0/24")
    parts = lay_out(SERVICES, RECORDS, "10.96.0.0/16").parts
    made = [section(part, "node-1", False, ENDPOINTS.get(part.service or WEB, ())) for part in parts]
    proxy = node_proxy("lab/proxy:1", [guarded(each, allowed, ()) for each in made if each is not None])
    golden("haproxy/guarded.cfg", config_text(proxy))
    assert accepted(proxy, tmp_path) == ""


def test_a_thousand_services_of_five_pods_pass_haproxys_check(tmp_path: Path) -> None:
    services = {Ref("Service", "shop", f"s{n}"): n for n in range(1000)}
    config = rendered(
        {ref: Service(ObjectMeta(ref.name, "shop"), ServiceSpec(ports=(ServicePort(80),))) for ref in services},
        {ref: ServiceRecord(f"10.96.{n // 250}.{n % 250 + 1}") for ref, n in services.items()},
        {
            ref: tuple(
                Endpoint(f"{n}-{i}", f"s{n}-{i}", f"node-{i}", f"10.{i}.{n // 250}.{n % 250 + 1}", (80,), True)
                for i in range(5)
            )
            for ref, n in services.items()
        },
    )
    assert config.count("\nlisten ") == 1000
    assert config.count("\n    server ") == 5000
    assert accepted_by_haproxy(config, tmp_path) == ""
