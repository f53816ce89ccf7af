"""What a pod is called, whom it knows by name, and where it is on the network."""

from tests.lab.pods import Json, Stage, container, pod, web
from tests.lab.world import eventually, fetch

SYSTEM: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "system"}}


def test_names_of_a_pod_and_of_others(stage: Stage) -> None:
    aliases = [{"ip": "192.0.2.7", "hostnames": ["legacy", "legacy.example.org"]}]
    names: Json = {"hostname": "db-0", "subdomain": "db", "hostAliases": aliases}
    stage.put(
        pod("alone", container(), **names),
        pod("two", container(), container("other"), **names),
        pod("full", container(), **names, setHostnameAsFQDN=True),
    )
    for name in ("alone", "two", "full"):
        address = stage.up(name)["status"]["podIP"]
        hosts = [line.split() for line in stage.inside(name, "cat", "/etc/hosts").splitlines()]
        assert stage.inside(name, "hostname") == (
            "db-0.db.default.svc.cluster.local" if name == "full" else "db-0"
        )
        known = {word for line in hosts if line[:1] == ["192.0.2.7"] for word in line}
        assert known == {"192.0.2.7", "legacy", "legacy.example.org"}
        assert any(address == line[0] and "db-0" in line for line in hosts if line)
    assert stage.inside("two", "cat", "/etc/hosts", name="other") == stage.inside("two", "cat", "/etc/hosts")


def test_how_a_pod_asks_for_names_is_its_own(stage: Stage) -> None:
    """On a network of its own Docker answers itself, at 127.0.0.11, and passes on what it does not know."""
    config = {
        "nameservers": ["192.0.2.53"],
        "searches": ["example.org"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
    }
    stage.put(
        pod("asks", container(), dnsPolicy="None", dnsConfig=config),
        pod("both", container(), container("other"), dnsPolicy="None", dnsConfig=config),
    )
    for name, of in (("asks", "main"), ("both", "main"), ("both", "other")):
        stage.up(name)
        lines = stage.inside(name, "cat", "/etc/resolv.conf", name=of).splitlines()
        words = {line.split()[0]: line.split()[1:] for line in lines if line and not line.startswith("#")}
        assert words["nameserver"] in (["127.0.0.11"], ["192.0.2.53"])
        assert words["search"] == ["example.org"]
        assert {"ndots:2", "edns0"} <= set(words["options"])
    for name, of in (("asks", "main"), ("both", "POD")):
        assert stage.inspect(name, of)["HostConfig"]["Dns"] == ["192.0.2.53"]


def test_a_pod_on_its_hosts_network(stage: Stage) -> None:
    port = [{"name": "PORT", "value": "8097"}]
    asked = pod("near", web("main", env=port, ports=[{"containerPort": 8097}]), hostNetwork=True)
    asked["metadata"]["namespace"] = "system"
    stage.put(SYSTEM, asked)
    seen = stage.up("near")
    host = stage.world.lab.node("node-1")
    assert seen["status"]["podIP"] == host.address
    eventually(lambda: "version=1.0" in fetch(f"http://{host.address}:8097/"))
    assert stage.inspect("near")["HostConfig"]["NetworkMode"] == "host"


def test_a_host_port_that_the_cluster_allows(stage: Stage) -> None:
    stage.put(pod("edge", web("main", ports=[{"containerPort": 8080, "hostPort": 8093}])))
    stage.up("edge")
    address = stage.world.lab.node("node-1").address
    eventually(lambda: "pod=edge" in fetch(f"http://{address}:8093/"))
