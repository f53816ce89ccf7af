"""Ingresses on the edges: what they add to HAProxy's file, and to nobody else's."""

from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from reconciler.model.acme import Acme, AcmeAccount
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta, ref_of
from reconciler.model.api.networking import Ingress, IngressTLS
from reconciler.model.ingress_options import IngressOptions
from reconciler.model.memory import IngressRecord, Memory, ServiceRecord
from reconciler.model.names import Ref
from reconciler.model.plan import Endpoint
from reconciler.model.proxy import NodeProxy, config_text
from reconciler.model.secrets import SecretText
from reconciler.model.service_options import ServiceOptions
from reconciler.services import ServiceLayer
from reconciler.services.acme import Challenges
from tests.certificates import DAY, NOON, signed
from tests.fake_issuer import THUMBPRINT, issued
from tests.haproxy_process import accepted
from tests.ingress_oracle import ingress, rule
from tests.simulated import by_type, with_kinds
from tests.unit.services.test_layer import MEMORY, desired

WEB = Ref("Service", "shop", "web")
ENTRY = Ref("Ingress", "shop", "entry")
PATH: tuple[Literal["Prefix"], str, str] = ("Prefix", "/", "web")
ENDPOINTS = {WEB: (Endpoint("u1", "web-0", "node-1", "10.244.0.2", (8080,), ready=True),)}
SERVICES = {WEB: Service(ObjectMeta("web", "shop"), ServiceSpec(ports=(ServicePort(80, "http"),)))}


def entry(**options: object) -> Ingress:
    made = ingress("entry", rule("a.org", PATH), default="web")
    return replace(made, options=replace(IngressOptions(), **options))


def proxies(entered: Ingress, *secrets: Secret, memory: Memory = MEMORY) -> dict[str, NodeProxy]:
    """Of node-1, which is the edge, and node-2."""
    wanted = desired()
    nodes = dict(wanted.nodes)
    nodes["node-1"] = replace(
        nodes["node-1"], metadata=ObjectMeta("node-1", labels={"reconciler.dev/edge": "true"})
    )
    held = {Ref("Secret", "shop", secret.metadata.name): secret for secret in secrets}
    wanted = with_kinds(
        wanted, {Node: by_type((nodes).values())[Node], Service: SERVICES, Ingress: {ENTRY: entered}, Secret: held}
    )
    memory = replace(memory, ingresses={ENTRY: IngressRecord(1)})
    setups = ServiceLayer().setups(wanted, memory, ENDPOINTS, at=NOON)
    return {name: setup.proxy for name, setup in setups.items()}


def test_an_ingress_is_heard_at_the_edges_with_the_pods_behind_it(tmp_path: Path) -> None:
    found = proxies(entry(affinity_cookie="pod"))
    edge = found["node-1"]
    backends = [section for section in edge.sections if section.name.startswith("ingress_")]
    assert [str(server.address) for backend in backends for server in backend.servers] == ["10.244.0.2:8080"]
    assert backends[0].cookies
    assert "bind 0.0.0.0:80\n" in config_text(edge)
    assert not [section for section in found["node-2"].sections if "ingress" in section.text]
    assert "bind 0.0.0.0:80\n" not in config_text(found["node-2"])
    assert found["node-2"].files == {}
    assert accepted(edge, tmp_path) == ""


def test_files_are_named_by_what_is_in_them_and_the_text_names_them(tmp_path: Path) -> None:
    made = ingress("entry", rule("a.org", PATH), tls=[IngressTLS(hosts=("a.org",), secret_name="site")])
    chain, key = signed("a.org")
    site = Secret(ObjectMeta("site", "shop"), {"tls.crt": SecretText(chain), "tls.key": SecretText(key)})
    edge = proxies(made, site)["node-1"]
    text = config_text(edge)
    assert all(
        f"/etc/reconciler/files/{name}" in text or any(name in str(other) for other in edge.files.values())
        for name in edge.files
    )
    assert any(isinstance(content, SecretText) for content in edge.files.values())
    assert accepted(edge, tmp_path) == ""
    chain, key = signed("a.org")
    other = replace(site, data={"tls.crt": SecretText(chain), "tls.key": SecretText(key)})
    assert proxies(made, other)["node-1"].structure != edge.structure


def test_users_are_in_the_file_and_in_nothing_that_is_shown(tmp_path: Path) -> None:
    users = Secret(ObjectMeta("staff", "shop"), {"auth": SecretText("eve:$6$salt$" + "a" * 86 + "\n")})
    edge = proxies(entry(auth_secret="staff"), users)["node-1"]
    assert "user eve password $6$salt$" in config_text(edge)
    assert "salt" not in repr(edge)
    assert accepted(edge, tmp_path) == ""


def test_a_load_balancer_does_not_take_the_ports_of_the_ingresses_and_keeps_its_others() -> None:
    layer = ServiceLayer()
    spec = replace(SERVICES[WEB].spec, type="LoadBalancer")
    wanted = with_kinds(desired(), {Service: {WEB: replace(SERVICES[WEB], spec=spec)}, Ingress: {ENTRY: entry()}})
    setups = layer.setups(wanted, replace(MEMORY, services={WEB: ServiceRecord("10.96.0.1", (30080,))}), ENDPOINTS)
    assert layer.problems == (
        "Service shop/web is not reached at the edges' 0.0.0.0:80: it belongs to the Ingresses; "
        "choose another port",
    )
    for name in ("node-1", "node-2"):
        assert "10.96.0.1" in setups[name].network.addresses
        binds = [line.split()[1] for line in config_text(setups[name].proxy).splitlines() if " bind " in line]
        assert {"10.96.0.1:80", "0.0.0.0:30080"} <= set(binds)
        assert len(binds) == len(set(binds))


def test_pods_behind_an_ingress_are_spoken_to_as_their_service_says() -> None:
    options = ServiceOptions(proxy_protocol=True, slow_start=5000)
    wanted = with_kinds(
        desired(), {Service: {WEB: replace(SERVICES[WEB], options=options)}, Ingress: {ENTRY: entry()}}
    )
    edge = ServiceLayer().setups(wanted, MEMORY, ENDPOINTS)["node-1"].proxy
    (section,) = (each for each in edge.sections if each.text.startswith("backend ingress"))
    for words in ("pool-max-conn -1", "slowstart 5000ms", "send-proxy-v2 check-send-proxy"):
        assert words in section.server_options


ACCOUNT = AcmeAccount(SecretText("key"), THUMBPRINT)
SERVER = "https://acme.example.org/directory"


def with_issuer(**remembered: object) -> tuple[dict[str, NodeProxy], tuple[str, ...]]:
    """The proxies of an Ingress that has its certificate issued, and what is told of it."""
    made = ingress("entry", rule("a.org", PATH), tls=[IngressTLS(("a.org",), "site")], acme=True)
    wanted = with_kinds(desired(), {Service: SERVICES, Ingress: {ENTRY: made}})
    cluster = replace(wanted.cluster, spec=replace(wanted.cluster.spec, acme=Acme(SERVER)))
    layer = ServiceLayer()
    memory = replace(MEMORY, **remembered)
    setups = layer.setups(with_kinds(wanted, {Cluster: {ref_of(cluster): cluster}}), memory, ENDPOINTS, at=NOON)
    return {name: setup.proxy for name, setup in setups.items()}, layer.problems


def test_while_a_certificate_is_awaited_challenges_are_answered(tmp_path: Path) -> None:
    found, problems = with_issuer(accounts={SERVER: ACCOUNT})
    edge = found["node-1"]
    assert f"%[path,field(4,/)].{THUMBPRINT}" in config_text(edge)
    assert "a.org\n" in edge.files.values()
    assert "bind 0.0.0.0:443" not in config_text(edge)
    assert problems == (
        f"Ingress shop/entry has no certificate of Secret shop/site yet: it is awaited from {SERVER}",
    )
    assert accepted(edge, tmp_path) == ""


def test_an_issued_certificate_is_served_as_one_of_a_secret_is(tmp_path: Path) -> None:
    site = Ref("Secret", "shop", "site")
    held = issued("a.org", server=SERVER, start=NOON - DAY, end=NOON + DAY)
    found, problems = with_issuer(accounts={SERVER: ACCOUNT}, certificates={site: held})
    assert problems == ()
    assert "bind 0.0.0.0:443 ssl" in config_text(found["node-1"])
    assert accepted(found["node-1"], tmp_path) == ""


def test_without_an_account_no_challenge_is_answered() -> None:
    assert "acme-challenge" not in config_text(with_issuer()[0]["node-1"])


@pytest.mark.parametrize("thumbprint", ["A" * 42, "A" * 42 + '"', "A" * 43 + "\n", "%[env(HOME)]"])
def test_what_is_no_thumbprint_gets_into_no_file(thumbprint: str) -> None:
    with pytest.raises(ValueError):
        Challenges(thumbprint, ("a.org",))
