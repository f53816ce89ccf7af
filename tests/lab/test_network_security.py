"""What a pod, a Service or a client may not get around: addresses of others, policies, and rules of an Ingress."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.pods import Json, Stage, container, pod, web
from tests.lab.world import asked, eventually

pytestmark = pytest.mark.hosts(2)
HOST = "shop.example.org"
DB = "10.96.200.7"


def behind(name: str, **spec: object) -> Json:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    spec = {"selector": {"app": name}, "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def ingress(name: str, *paths: str, annotations: dict[str, str] | None = None) -> Json:
    backend = {"service": {"name": name, "port": {"name": "http"}}}
    rules = [{"path": path, "pathType": "Prefix", "backend": backend} for path in paths or ("/",)]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"rules": [{"host": HOST, "http": {"paths": rules}}]},
    }


@pytest.mark.rule(3)
def test_an_external_address_does_not_take_the_sites_of_an_edge(stage: Stage) -> None:
    edge = stage.world.lab.node("node-1").address
    stage.put(pod("site", web()), behind("site"), ingress("site"))
    eventually(lambda: "pod=site" in asked(edge, f"http://{HOST}/")[1])
    mark = stage.write(pod("thief", web()), behind("thief", externalIPs=[edge]), file="thief.yaml")
    eventually(lambda: {"Rejected", "Converged"} & {each["reason"] for each in stage.running.events[mark:]})
    assert "pod=site" in asked(edge, f"http://{HOST}/")[1]
    assert "network.externalIPs" in stage.event("Problem", "thief.yaml")["message"]


TRY = """\
import socket, sys, time
seen = []
for address in sys.argv[2:]:
    ip, port = address.split(":")
    until = time.monotonic() + float(sys.argv[1])
    while True:
        try:
            socket.create_connection((ip, int(port)), 3).close()
            seen.append("open")
        except ConnectionRefusedError:
            seen.append("refused")
        except OSError:
            seen.append("silent")
        if time.monotonic() >= until: break
        time.sleep(0.01)
print(" ".join(dict.fromkeys(seen)) if float(sys.argv[1]) else " ".join(seen))
"""


def tried(stage: Stage, *addresses: str, node: str = "node-2", seconds: float = 0) -> str:
    """What connections from this host come to: `open`, `refused`, or `silent`, for each `ip:port`; or, of one that
    is tried for some seconds, all that was seen."""
    command = ["python3", "-c", TRY, str(seconds), *addresses]
    return stage.world.lab.node(node).run(command).stdout.strip()


def test_connections_to_a_service_are_refused_while_no_pod_answers_for_it(stage: Stage) -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30432}]
    service = behind("db", type="NodePort", clusterIP=DB, ports=ports, externalTrafficPolicy="Local")
    on = {name: stage.world.lab.node(name).address for name in ("node-1", "node-2")}
    tries = (f"{DB}:80", f"{on['node-1']}:30432", f"{on['node-2']}:30432")
    others = (f"{DB}:22", f"{DB}:30432", f"{DB}:443")
    mark = stage.put(service, file="service.yaml")
    stage.running.converged(since=mark)
    assert tried(stage, *tries) == "refused refused refused"
    for node in on:
        assert tried(stage, *others, node=node) == "refused refused refused", (
            "the host's own are not the Service's"
        )
    with ThreadPoolExecutor() as pool:
        seen = pool.submit(tried, stage, f"{DB}:80", seconds=4)
        mark = stage.put(behind("another"), file="another.yaml")
        stage.running.converged(since=mark)
        assert seen.result() == "refused", "while the proxies take over another configuration"
    stage.put(pod("db", web()))
    eventually(lambda: tried(stage, *tries) == "open open refused", what="open where there is a pod")
    assert tried(stage, *others) == "refused refused refused"
    flush = "iptables -F RECONCILER-SVC; iptables -F RECONCILER-REFUSED"
    stage.world.lab.node("node-2").run(["sh", "-c", flush])
    eventually(lambda: tried(stage, *tries, *others) == "open open refused refused refused refused")
    stage.clear("test.yaml")
    eventually(lambda: tried(stage, *tries) == "refused refused refused", what="refused again")


@pytest.mark.fault(56)
@pytest.mark.rule(9)
@pytest.mark.rule(9)
def test_labels_of_an_image_are_not_ours(stage: Stage) -> None:
    """Of an image that was committed from a pod's container, they are all there."""
    stage.put(pod("alone", web("main")))
    stage.up("alone")
    committed = stage.container("alone")
    try:
        stage.docker("commit", "-c", "LABEL reconciler.dev/owner=Deployment/shop", committed.id, "lab/committed:1")
        stage.docker("run", "-d", "--name", "foreign", "lab/committed:1")
        stage.put(
            pod("from-it", web("main", image="lab/committed:1", imagePullPolicy="Never")), file="from-it.yaml"
        )
        seen = stage.up("from-it")
        assert not seen["metadata"].get("ownerReferences"), "the image's owner is not the pod's"
        assert stage.container("from-it").labels["reconciler.dev/owner"] == ""
        assert stage.pod("alone")["status"]["podIP"]
        stage.clear("test.yaml")
        eventually(lambda: committed.id not in {each.id for each in stage.containers("alone")})
        mark = stage.running.mark()
        stage.put(pod("later", web("main")), file="later.yaml")
        stage.running.converged(since=mark)
        assert stage.docker("inspect", "-f", "{{.State.Running}}", "foreign") == "true", "not ours to stop"
    finally:
        stage.docker("rm", "-f", "foreign", check=False)


@pytest.mark.rule(3)
def test_a_pod_writes_no_packets_of_its_own_making_unless_it_asks_for_it_and_may(stage: Stage) -> None:
    asks = {"capabilities": {"add": ["NET_RAW"]}}
    raw = pod("raw", container(securityContext=asks))
    raw["metadata"]["namespace"] = "system"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "system"}}
    stage.put(space, raw, pod("plain", container()), pod("two", container(), container("other")))
    has = {}
    for name, of in (("raw", "main"), ("plain", "main"), ("two", "other")):
        stage.up(name)
        status = stage.inside(name, "grep", "CapEff", "/proc/1/status", name=of)
        has[name] = bool(int(status.split()[1], 16) & 1 << 13)
    assert has == {"raw": True, "plain": False, "two": False}


def test_the_ingress_keeps_policies_and_no_path_gets_around_a_rule(stage: Stage) -> None:
    edge = stage.world.lab.node("node-1").address
    closed = ingress("admin", "/admin", annotations={"reconciler.dev/allow-list": "192.0.2.0/24"})
    pods = [pod("site", web()), pod("admin", web())]
    stage.put(*pods, behind("site"), behind("admin"), ingress("site"), closed)
    status = {}
    eventually(lambda: "pod=site" in asked(edge, f"http://{HOST}/x;v=1/y")[1])
    eventually(lambda: asked(edge, f"http://{HOST}/admin")[0] == "403")
    for path in ("admin;x", "admin%3bx", "%5cadmin", "%2561dmin", "admin%2f..%2fx", ";/admin"):
        status[path] = asked(edge, f"http://{HOST}/{path}")[0]
    assert set(status.values()) == {"400"}, status
    stage.put(policy("site", []), file="policy.yaml")
    eventually(lambda: asked(edge, f"http://{HOST}/")[0] == "503")
    stage.event("Ignored", "reconciler-ingress")
    named = {"matchLabels": {"kubernetes.io/metadata.name": "reconciler-ingress"}}
    stage.put(policy("site", [{"from": [{"namespaceSelector": named}]}]), file="policy.yaml")
    eventually(lambda: asked(edge, f"http://{HOST}/")[0] == "200")


def policy(app: str, rules: list[Json]) -> Json:
    spec = {"podSelector": {"matchLabels": {"app": app}}, "ingress": rules}
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": app}}
    return {**head, "spec": spec}


def test_the_proxy_may_do_no_more_than_it_has_to(stage: Stage) -> None:
    host = json.loads(stage.docker("inspect", "test_proxy"))[0]["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert set(host["CapAdd"]) <= {"NET_BIND_SERVICE", "SETUID", "SETGID", "KILL"}
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    stage.put(pod("site", web()), behind("site", clusterIP=DB))
    eventually(lambda: tried(stage, f"{DB}:80", node="node-1") == "open")
    workers = stage.docker("top", "test_proxy", "-eo", "pid,ppid,args").splitlines()[1:]
    pids = {line.split()[0] for line in workers}
    (worker,) = (line.split()[0] for line in workers if line.split()[1] in pids and "haproxy" in line)
    lines = stage.world.lab.node("node-1").run(["cat", f"/proc/{worker}/status"]).stdout.splitlines()
    status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    assert "0" not in status["Uid"] + status["Gid"], "who talks to clients is not root"
    assert int(status["CapEff"][0], 16) == 0


SPOOF = """\
import socket, struct, sys, time
source, target, mac = sys.argv[1:]
own = open("/sys/class/net/eth0/address").read().strip()
def raw(mac): return bytes.fromhex(mac.replace(":", ""))
def checked(head):
    total = sum(struct.unpack(f"!{len(head) // 2}H", head))
    return ~((total >> 16) + (total & 0xFFFF)) & 0xFFFF
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
for said in (own, mac):
    data = struct.pack("!HHHH", 4000, 4001, 8 + 5, 0) + b"spoof"
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    head = struct.pack("!BBHHHBBH", 69, 0, 20 + len(data), 1, 0, 64, 17, 0) + ends
    head = head[:10] + struct.pack("!H", checked(head)) + head[12:]
    there = "02:42:" + ":".join(f"{int(part):02x}" for part in target.split("."))
    for _ in range(5):
        wire.send(raw(there) + raw(said) + struct.pack("!H", 0x0800) + head + data)
        time.sleep(0.05)
"""
HEAR = """\
import socket
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("", 4001))
print("ready", flush=True)
while True: print("heard", heard.recvfrom(99)[1][0], flush=True)
"""


def test_a_pod_does_not_speak_as_its_neighbour(stage: Stage) -> None:
    """Not even one that may write packets of its own making, under the address of a pod that a policy lets in."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "system"}}
    asks = {"capabilities": {"add": ["NET_RAW"]}}
    evil = pod("evil", {**container(securityContext=asks), "image": "lab/faulty:1"})
    evil["metadata"]["namespace"] = "system"
    hears = {**container(), "image": "lab/faulty:1", "command": ["python3", "-c", HEAR]}
    friend = pod("friend", {**container(), "image": "lab/faulty:1"})
    named = {"podSelector": {"matchLabels": {"app": "friend"}}}
    stage.put(space, evil, friend, pod("target", hears), policy("target", [{"from": [named]}]))
    friends, targets = (stage.up(name)["status"]["podIP"] for name in ("friend", "target"))
    stage.up("evil")
    mac = stage.inside("friend", "cat", "/sys/class/net/eth0/address")
    send = f"import socket; socket.socket(2, 2).sendto(b'hello', ('{targets}', 4001))"
    ask = ("python3", "-c", send)
    eventually(lambda: (stage.inside("friend", *ask), f"heard {friends}" in stage.logs("target"))[1])
    node = stage.world.lab.node("node-1")
    eventually(lambda: node.run(["bridge", "-d", "link", "show"]).stdout.count("locked on") >= 3)
    before = stage.logs("target").count("heard")
    stage.inside("evil", "python3", "-c", SPOOF, friends, targets, mac)
    stage.inside("friend", *ask)
    eventually(lambda: stage.logs("target").count("heard") > before)
    assert stage.logs("target").count("heard") == before + 1, "the friend's own, and none of the five and five"
