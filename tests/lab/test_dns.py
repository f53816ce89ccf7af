"""Names, asked for as a program in a pod does: by Docker's resolver in the pod, and the node's name servers."""

from collections.abc import Iterator

import pytest

from reconciler.model.names import SYSTEM_DNS
from tests.lab.conftest import STAGE
from tests.lab.pods import Json, Stage, container, pod, web
from tests.lab.world import eventually

pytestmark = pytest.mark.hosts(2)
DOMAIN = "default.svc.cluster.local"
SERVERS = ("10.96.0.10", "10.96.0.11")
OUTSIDE = "lab_upstream"


def headless(name: str) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    spec = {"clusterIP": "None", "selector": {"tier": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def member(name: str) -> Json:
    """A pod as a StatefulSet makes them."""
    made = pod(name, web(), hostname=name, subdomain="db")
    made["metadata"]["labels"]["tier"] = "db"
    return made


def stands_for(name: str, other: str) -> Json:
    spec = {"type": "ExternalName", "externalName": other}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def upstream(stage_of_file: Stage) -> Iterator[None]:
    """A name server outside of the cluster, on another host, and the cluster told of it."""
    host = stage_of_file.world.lab.node("node-2")
    answers = ("--address=/example.org/192.0.2.44", "--address=/svc.cluster.local/192.0.2.66")
    serve = ("dnsmasq", "-k", "--no-resolv", "--no-hosts", "--pid-file=", "--bind-interfaces", *answers)
    host.docker(
        *("run", "-d", "--name", OUTSIDE, "--network", "host", "lab/proxy:1"),
        *(*serve, f"--listen-address={host.address}"),
    )
    mark = stage_of_file.running.mark()
    stage_of_file.world.write("cluster.yaml", f"{STAGE}  dns: {{upstreams: [{host.address}]}}\n")
    stage_of_file.running.accepted(since=mark)
    yield
    host.docker("rm", "-f", OUTSIDE)


def asked(stage: Stage, name: str, kind: str = "a", server: str = "") -> str:
    """What busybox prints below the server's name; without one, as any program in the pod asks."""
    shown = stage.inside("asks", "busybox", "nslookup", f"-type={kind}", name, *filter(None, [server]))
    return shown.partition("\n\n")[2]


def test_names_of_services_and_pods(stage: Stage, upstream: None) -> None:
    shop: Json = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}
    shop["spec"] = {"selector": {"tier": "db"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
    mail, alias = stands_for("mail", "example.org"), stands_for("alias", f"shop.{DOMAIN}")
    mark = stage.put(pod("asks", container()), shop, headless("db"), member("db-0"), member("db-1"), mail, alias)
    stage.running.converged(since=mark)
    first, second = (stage.up(name)["status"]["podIP"] for name in ("db-0", "db-1"))
    stage.up("asks")
    eventually(lambda: first in asked(stage, f"db-0.db.{DOMAIN}"))
    eventually(lambda: second in asked(stage, f"db-1.db.{DOMAIN}"))

    assert f"Name:\tshop.{DOMAIN}\nAddress: 10.96." in asked(stage, "shop")
    answer = stage.inside("asks", "busybox", "wget", "-qO-", "http://db-0.db:8080/")
    assert "pod=db-0" in answer, "a name of two parts is looked for in the cluster first"
    both = asked(stage, f"db.{DOMAIN}")
    assert first in both
    assert second in both
    ports = asked(stage, f"_http._tcp.db.{DOMAIN}", "srv")
    assert f"8080 db-0.db.{DOMAIN}" in ports
    assert f"8080 db-1.db.{DOMAIN}" in ports
    assert f"80 shop.{DOMAIN}" in asked(stage, f"_http._tcp.shop.{DOMAIN}", "srv")
    reverse = ".".join([*reversed(first.split(".")), "in-addr.arpa"])
    for server in SERVERS:
        assert f"db-0.db.{DOMAIN}" in asked(stage, reverse, "ptr", server)

    assert "192.0.2.44" in asked(stage, "example.org"), "what is outside is asked for outside"
    for server in SERVERS:
        stands = asked(stage, f"mail.{DOMAIN}", server=server)
        assert f"mail.{DOMAIN}\tcanonical name = example.org" in stands
        assert "192.0.2.44" in stands
    assert "Address: 10.96." in asked(stage, "alias"), "what stands for a name inside"
    for name in (f"nothing.{DOMAIN}", "1.0.96.10.in-addr.arpa"):
        assert "NXDOMAIN" in asked(stage, name), "what is not inside is nowhere"

    stage.put(pod("asks", container()), shop, headless("db"), member("db-1"))
    eventually(lambda: "NXDOMAIN" in asked(stage, f"db-0.db.{DOMAIN}"))
    # A server reads each of these by itself, one after the other.
    eventually(lambda: "db-0" not in asked(stage, f"_http._tcp.db.{DOMAIN}", "srv"))
    eventually(lambda: first not in asked(stage, f"db.{DOMAIN}"))
    assert second in asked(stage, f"db.{DOMAIN}")


def test_name_servers_that_are_killed_or_removed_are_back(stage: Stage, upstream: None) -> None:
    mark = stage.put(pod("asks", container()), headless("db"), member("db-0"))
    stage.running.converged(since=mark)  # Pods of these names were here before.
    address = stage.up("db-0")["status"]["podIP"]
    stage.up("asks")
    host = stage.world.lab.node("node-1")
    eventually(lambda: address in asked(stage, f"db-0.db.{DOMAIN}", server=SERVERS[1]))
    host.docker("exec", "test_dns", "sh", "-c", "killall -9 dnsmasq; killall -9 python3")
    eventually(lambda: all(address in asked(stage, f"db-0.db.{DOMAIN}", server=one) for one in SERVERS))
    ports = f"_http._tcp.db.{DOMAIN}"
    eventually(lambda: all(f"db-0.db.{DOMAIN}" in asked(stage, ports, "srv", one) for one in SERVERS))
    of_now = host.docker("inspect", "-f", "{{.Id}}", "test_dns").stdout
    host.docker("exec", "test_dns", "killall", "-STOP", "python3")
    assert all(address in asked(stage, f"db-0.db.{DOMAIN}", server=one) for one in SERVERS)
    eventually(lambda: f"db-0.db.{DOMAIN}" in asked(stage, ports, "srv"))
    assert host.docker("inspect", "-f", "{{.Id}}", "test_dns").stdout == of_now
    host.docker("rm", "-f", "test_dns")
    eventually(lambda: address in asked(stage, f"db-0.db.{DOMAIN}"))
    found = host.docker("ps", "-q", "--filter", f"label=reconciler.dev/container={SYSTEM_DNS}").stdout.split()
    assert len(found) == 1
