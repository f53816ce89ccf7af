"""A loader that has followed a history of edits answers as one that sees only the last state."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.desired import Revision, SourceFile, SourceSnapshot

CLUSTER = {"apiVersion": "reconciler.dev/v1", "kind": "Cluster", "metadata": {"name": "c"}}


def node(name: str, host: str, **labels: str) -> dict[str, Any]:
    notes = {"reconciler.dev/ssh": f"ssh://root@{host}"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels, "annotations": notes}}


def deployment(name: str, selector: dict[str, str], extra: dict[str, str], **spec: Any) -> dict[str, Any]:
    container = {"name": "a", "image": "a", "ports": [{"name": "http", "containerPort": 80}], **spec}
    template = {"metadata": {"labels": {**selector, **extra}}, "spec": {"containers": [container]}}
    body = {"selector": {"matchLabels": selector}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": body}


def stateful_set(name: str, claim: str, replicas: int, service: str = "s") -> dict[str, Any]:
    """Sets of different names may have claims of the same name: that of one of them is there."""
    container = {"name": "a", "image": "a", "volumeMounts": [{"name": claim, "mountPath": "/data"}]}
    labels = {"app": f"set-{name}"}
    request = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": f"{replicas}Gi"}}}
    body = {
        "replicas": replicas,
        "serviceName": service,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        "volumeClaimTemplates": [{"metadata": {"name": claim}, "spec": request}],
    }
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": body}


def service(name: str, selector: dict[str, str], port: str | int, **spec: Any) -> dict[str, Any]:
    body = {"selector": selector, "ports": [{"port": 80, "targetPort": port}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": body}


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


READS = {"envFrom": [{"configMapRef": {"name": "settings"}}]}
KEY = {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]}
A, B = {"app": "a"}, {"app": "b"}


def pod(name: str, notes: dict[str, str], **spec: Any) -> dict[str, Any]:
    container = {"name": "a", "image": "a", "ports": [{"containerPort": 80, "hostPort": 8080}]}
    meta = {"name": name, "annotations": notes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container], **spec}}


def claim(name: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def login(kind: str) -> dict[str, Any]:
    held = {".dockerconfigjson": '{"auths": {"r": {"auth": "YTpi"}}}'}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "type": kind, "stringData": held}


def endpoint_slice(of: str, address: str, **port: Any) -> dict[str, Any]:
    meta = {"name": "x", "labels": {"kubernetes.io/service-name": of}}
    body = {"addressType": "IPv4", "endpoints": [{"addresses": [address]}], "ports": [{"port": 80, **port}]}
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta, **body}


def ingress(name: str, host: str, port: int, **notes: str) -> dict[str, Any]:
    backend = {"service": {"name": "s", "port": {"number": port}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec = {"rules": [rule], "tls": [{"secretName": "site"}]}
    meta = {"name": name, "annotations": {f"reconciler.dev/{key}": note for key, note in notes.items()}}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec}


def site(**held: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "site"}, "stringData": held}


FILES = [{"name": "v", "configMap": {"name": "settings", "items": [{"key": "a", "path": "a"}]}}]
STORE = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
MADE = [{"name": "v", "persistentVolumeClaim": {"claimName": "a-b-c-0"}}]
RESTART = {"reconciler.dev/restart-on-change": "true"}
PORTS = {"podSecurity": {"hostPorts": [8080]}}
CONTENTS = [
    "kind: [",
    "# nothing",
    json.dumps(CLUSTER),
    json.dumps(CLUSTER | {"spec": {"ssh": {"port": 2222}, "serviceCIDR": "10.97.0.0/16"}}),
    *map(json.dumps, [node("n", "h"), node("m", "h"), node("m", "i", disk="ssd")]),
    *map(json.dumps, [deployment("a", A, {}, **READS), deployment("a", A, B | {"app": "a"}, **KEY)]),
    *map(
        json.dumps, [deployment("b", B, {}), deployment("b", B, {"tier": "x"}), deployment("c", A, {"tier": "x"})]
    ),
    *map(json.dumps, [service("s", A, "http"), service("s", B, "grpc"), service("t", A | {"tier": "x"}, 80)]),
    *map(json.dumps, [service("t", A, 80, clusterIP="10.96.0.9"), service("u", B, 80, clusterIP="10.96.0.9")]),
    *map(json.dumps, [config("settings", a="1"), config("settings", b="2"), config("settings", a="1", b="2")]),
    json.dumps(config("settings") | {"data": {"a": 1}}),
    json.dumps(config("settings", a="1") | {"metadata": {"name": "settings", "namespace": "other"}}),
    *map(json.dumps, [CLUSTER | {"spec": PORTS}, pod("p", {}, volumes=FILES), pod("p", RESTART, volumes=FILES)]),
    *map(json.dumps, [pod("q", {}, volumes=STORE, imagePullSecrets=[{"name": "login"}]), claim("data")]),
    *map(json.dumps, [login("Opaque"), login("kubernetes.io/dockerconfigjson")]),
    *map(
        json.dumps,
        [ingress("i", "a.org", 80), ingress("i", "a.org", 81), ingress("j", "*.a.org", 80, balance="x")],
    ),
    json.dumps(ingress("k", "a.org", 80, **{"auth-secret": "site"})),
    *map(json.dumps, [site(**{"tls.crt": "c", "tls.key": "k"}), site(**{"tls.crt": "c", "auth": "plain:text"})]),
    json.dumps(config("settings", b="2") | {"binaryData": {"a": "AA=="}}),
    json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}),
    json.dumps(node("n", "192.0.2.1", **{"reconciler.dev/edge": "true"})),
    *map(json.dumps, [service("s", {}, 80), service("s", B, 80, type="LoadBalancer")]),
    json.dumps(service("u", B, 80, externalIPs=["192.0.2.1"])),
    json.dumps(CLUSTER | {"spec": {"network": {"externalIPs": [{"cidr": "192.0.2.0/24"}]}}}),
    *map(json.dumps, [stateful_set("b-c", "a", 1), stateful_set("c", "a-b", 2), stateful_set("c", "a-b", 0)]),
    *map(json.dumps, [stateful_set("c", "a-b", 1, "t"), claim("a-b-c-0"), pod("r", {}, volumes=MADE)]),
    json.dumps(service("t", {"statefulset.kubernetes.io/pod-name": "c-1"}, 80)),
    *map(json.dumps, [endpoint_slice("s", "192.0.2.7"), endpoint_slice("t", "10.97.0.7", name="a")]),
]
edits = st.dictionaries(st.sampled_from("abcdefghij"), st.sampled_from([*CONTENTS, None]), max_size=4)


def snapshot(files: dict[str, str]) -> SourceSnapshot:
    held = tuple(SourceFile(f"{name}.yaml", text, text.encode()) for name, text in sorted(files.items()))
    return SourceSnapshot(Revision("r", "test"), held)


@given(st.lists(edits, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_history_makes_no_difference(history: list[dict[str, str | None]]) -> None:
    loader = Loader(ADMITTED)
    files = {"0": CONTENTS[2], "1": CONTENTS[4], "2": CONTENTS[7], "3": CONTENTS[15]}
    result = loader.load(snapshot(files))
    for edit in history:
        files = {name: text for name, text in {**files, **edit}.items() if text is not None}
        result = loader.load(snapshot(files))
    assert result == Loader(ADMITTED).load(snapshot(files))
