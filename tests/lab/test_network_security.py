"""What a pod, a Service or a client may not get around: addresses of others, policies, and rules of an Ingress."""

from tests.lab.pods import Json, Stage, pod, web
from tests.lab.world import asked, eventually

HOST = "shop.example.org"


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


def test_an_external_address_does_not_take_the_sites_of_an_edge(stage: Stage) -> None:
    edge = stage.world.lab.node("node-1").address
    stage.put(pod("site", web()), behind("site"), ingress("site"))
    eventually(lambda: "pod=site" in asked(edge, f"http://{HOST}/")[1])
    mark = stage.write(pod("thief", web()), behind("thief", externalIPs=[edge]), file="thief.yaml")
    eventually(lambda: {"Rejected", "Converged"} & {each["reason"] for each in stage.running.events[mark:]})
    assert "pod=site" in asked(edge, f"http://{HOST}/")[1]
    assert "network.externalIPs" in stage.event("Problem", "thief.yaml")["message"]
