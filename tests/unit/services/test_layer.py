"""What each node gets, and when it is the very same as before."""

from msgspec.structs import replace

from reconciler.model.addresses import socket_address
from reconciler.model.api.cluster import Cluster, ClusterImages, ClusterSpec
from reconciler.model.api.core.node import Node, SshAddress
from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import LabelSelector, ObjectMeta
from reconciler.model.api.networking import (
    Ingress,
    IngressBackend,
    IngressServiceBackend,
    IngressSpec,
    NetworkPolicy,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicySpec,
    ServiceBackendPort,
)
from reconciler.model.desired import Desired, Revision
from reconciler.model.memory import Memory, NodeRecord, PodIntent, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.policies import INGRESS_NAMESPACE, NAMESPACE_LABEL
from reconciler.model.proxy import config_text
from reconciler.model.setups import NodeNetwork, Route
from reconciler.services import ServiceLayer, node_setups
from tests.simulated import by_type, with_kinds

WEB = Ref("Service", "shop", "web")
MEMORY = Memory(
    nodes={
        "node-1": NodeRecord("node-1", "engine-1", "10.244.0.0/24"),
        "node-2": NodeRecord("node-2", "engine-2", "10.244.1.0/24"),
        "node-3": NodeRecord("node-3", "engine-3"),
        "gone": NodeRecord("gone", "engine-4", "10.244.3.0/24"),
    },
    services={WEB: ServiceRecord("10.96.0.1", (0,))},
)
ENDPOINTS = {
    WEB: (
        Endpoint("u1", "web-0", "node-1", "10.244.0.2", (8080,), ready=True),
        Endpoint("u2", "web-1", "node-2", "10.244.1.2", (8080,), ready=False),
    )
}


def desired(revision: str = "abc", image: str = "lab/proxy:1") -> Desired:
    return Desired(
        revision=Revision(revision, "/srv/shop"),
        objects=by_type(
            (
                Cluster(ObjectMeta("shop"), ClusterSpec(images=ClusterImages(proxy=image))),
                *(Node(ObjectMeta(f"node-{n}"), SshAddress("root", f"192.0.2.{n}", 2200 + n)) for n in (1, 2, 3)),
                Service(ObjectMeta("web", "shop"), ServiceSpec(ports=(ServicePort(80, "http"),))),
            )
        ),
        digests={},
        places={},
        templates={},
        manifests={},
    )


def test_a_node_routes_to_every_other_node_through_its_ssh_host_and_has_every_service_address() -> None:
    setups = node_setups(desired(), MEMORY, ENDPOINTS)
    assert setups["node-1"].network == NodeNetwork(
        pod_cidr="10.244.0.0/24",
        cluster_cidr="10.244.0.0/16",
        cluster_routes=(Route("10.244.0.0/24", "192.0.2.1"), Route("10.244.1.0/24", "192.0.2.2")),
        addresses=("10.96.0.10", "10.96.0.11", "10.96.0.1"),
    )
    assert setups["node-1"].network.routes == (Route("10.244.1.0/24", "192.0.2.2"),)
    assert setups["node-2"].network.routes == (Route("10.244.0.0/24", "192.0.2.1"),)
    assert setups["node-2"].network.cluster_routes is setups["node-1"].network.cluster_routes


def test_a_node_without_a_pod_cidr_and_one_that_is_no_longer_wanted_get_nothing() -> None:
    assert list(node_setups(desired(), MEMORY, ENDPOINTS)) == ["node-1", "node-2"]


def test_every_node_has_the_same_proxy_which_routes_to_ready_pods_only() -> None:
    setups = node_setups(desired(), MEMORY, ENDPOINTS)
    proxy = setups["node-1"].proxy
    assert proxy is setups["node-2"].proxy
    assert proxy.image == "lab/proxy:1"
    assert proxy.routed == {"10.244.0.2"}
    assert config_text(proxy).startswith(f"# fingerprint: {proxy.fingerprint}\n")


def test_every_node_has_the_same_name_servers_which_endpoints_of_a_virtual_address_leave_alone() -> None:
    layer = ServiceLayer()
    setups = layer.setups(desired(), MEMORY, ENDPOINTS)
    dns = setups["node-1"].dns
    assert dns is not None
    assert dns is setups["node-2"].dns
    assert "10.96.0.1 web.shop.svc.cluster.local\n" in dns.hosts.values()
    assert layer.setups(desired(), MEMORY, {})["node-1"].dns is dns


def test_each_node_checks_its_own_pods_ready_or_not() -> None:
    setups = node_setups(desired(), MEMORY, ENDPOINTS)
    assert setups["node-1"].checks == {socket_address("10.244.0.2:8080")}
    assert setups["node-2"].checks == {socket_address("10.244.1.2:8080")}


def test_a_port_that_a_pod_does_not_have_is_not_checked() -> None:
    pod = Endpoint("u1", "web-0", "node-1", "10.244.0.2", (0,), ready=False)
    assert node_setups(desired(), MEMORY, {WEB: (pod,)})["node-1"].checks == frozenset()


def test_equal_inputs_give_the_very_same_setups_even_of_another_revision() -> None:
    layer = ServiceLayer()
    first = layer.setups(desired(), MEMORY, ENDPOINTS)
    assert (
        layer.setups(desired("def"), Memory(nodes=MEMORY.nodes, services=MEMORY.services), dict(ENDPOINTS))
        is first
    )


def test_whatever_a_setup_follows_from_makes_new_ones() -> None:
    layer = ServiceLayer()
    before = layer.setups(desired(), MEMORY, ENDPOINTS)
    image = layer.setups(desired(image="lab/proxy:2"), MEMORY, ENDPOINTS)
    assert image["node-1"].proxy.image == "lab/proxy:2"
    endpoints = layer.setups(desired(), MEMORY, {})
    assert endpoints["node-1"].proxy.routed == frozenset()
    memory = layer.setups(desired(), Memory(nodes=MEMORY.nodes), ENDPOINTS)
    assert memory["node-1"].network.addresses == ("10.96.0.10", "10.96.0.11")
    assert layer.problems == ("Service shop/web is not served: it has no cluster IP",)
    assert layer.setups(desired(), MEMORY, ENDPOINTS) == before
    assert not layer.problems


def test_whom_a_policy_keeps_from_the_pods_is_kept_from_their_service() -> None:
    layer = ServiceLayer()
    before = layer.setups(desired(), MEMORY, ENDPOINTS)["node-1"].proxy
    memory = replace(MEMORY, pods={"u1": pod("web-0", "10.244.0.2")})
    guarded = layer.setups(closed(), memory, ENDPOINTS)["node-1"].proxy
    assert "reject" not in config_text(before)
    assert "10.96.0.0/16" in guarded.sources["shop_web_http.allowed"]
    assert "tcp-request connection reject unless policy_allowed" in config_text(guarded)
    assert layer.setups(desired(), MEMORY, ENDPOINTS)["node-1"].proxy == before


def test_whatever_pods_there_are_the_policies_give_a_service_the_same_lists() -> None:
    layer = ServiceLayer()
    server, client = pod("web-0", "10.244.0.2"), pod("client", "10.244.0.7")
    proxies = [
        layer.setups(closed(client="client"), replace(MEMORY, pods=pods), endpoints)["node-1"].proxy
        for pods, endpoints in (
            ({}, {}),
            ({"u1": server}, ENDPOINTS),
            ({"u1": server, "u2": client}, ENDPOINTS),
        )
    ]
    assert len({proxy.structure for proxy in proxies}) == 1
    assert len({proxy.fingerprint for proxy in proxies}) == 3
    allowed = [proxy.sources["shop_web_http.allowed"] for proxy in proxies]
    assert allowed[0] == ("0.0.0.0/0",)
    assert set(allowed[2]) - set(allowed[1]) == {"10.244.0.7/32"}


def pod(name: str, ip: str) -> PodIntent:
    labels = {"app": name.partition("-")[0]}
    return PodIntent(f"uid-{name}", "shop", name, "node-1", "h", "r", ip=ip, labels=labels)


def closed(client: str = "", namespace: str = "") -> Desired:
    """To all but the pods of an app, or of a namespace."""
    rules = (
        (NetworkPolicyIngressRule(peers=(NetworkPolicyPeer(pod_selector=LabelSelector({"app": client})),)),)
        if client
        else ()
    )
    if namespace:
        selector = LabelSelector({NAMESPACE_LABEL: namespace})
        rules = (NetworkPolicyIngressRule(peers=(NetworkPolicyPeer(namespace_selector=selector),)),)
    spec = NetworkPolicySpec(LabelSelector({"app": "web"}), ingress=rules, policy_types=("Ingress",))
    policy = NetworkPolicy(ObjectMeta("closed", "shop"), spec)
    return with_kinds(desired(), {NetworkPolicy: {Ref("NetworkPolicy", "shop", "closed"): policy}})


def test_an_ingress_sends_nothing_to_pods_that_are_closed_to_it() -> None:
    backend = IngressBackend(IngressServiceBackend("web", ServiceBackendPort(name="http")))
    ingress = Ingress(ObjectMeta("web", "shop"), IngressSpec(default_backend=backend))
    memory = replace(MEMORY, pods={"u1": pod("web-0", "10.244.0.2")})
    open_to_all = with_kinds(closed(), {NetworkPolicy: {}})
    for wanted, servers in (
        (open_to_all, ["web-0"]),
        (closed(), []),
        (closed(namespace=INGRESS_NAMESPACE), ["web-0"]),
    ):
        layer = ServiceLayer()
        wanted = with_kinds(wanted, {Ingress: {Ref("Ingress", "shop", "web"): ingress}})
        proxy = layer.setups(wanted, memory, ENDPOINTS)["node-1"].proxy
        (section,) = (each for each in proxy.sections if each.name.startswith("ingress_"))
        assert [server.name for server in section.servers] == servers
        assert bool(layer.problems) is not bool(servers)
        own = next(each for each in proxy.sections if each.name == "shop_web_http")
        assert [server.name for server in own.servers] == ["web-0"], "the Service has it"
