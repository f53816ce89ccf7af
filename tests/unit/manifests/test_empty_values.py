"""What Kubernetes cannot tell from an absent field is absent: texts and numbers that are empty."""

from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import pytest

from reconciler.kinds import ADMITTED
from reconciler.manifests.schemas import EMPTY, load_schemas
from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.service import Service
from reconciler.model.desired import Desired, Rejected
from tests.good_revision import Faults, Load, hashes


def both(load: Load, path: str, full: str, plain: str) -> tuple[Desired, Desired]:
    results = [load({path: text}) for text in (full, plain)]
    for result in results:
        assert isinstance(result, Desired), [str(problem) for problem in result.problems]
    return results[0], results[1]


@pytest.mark.parametrize(
    "line",
    [
        "hostname: ''",
        "subdomain: ''",
        "nodeName: ''",
        "dnsPolicy: ''",
        "restartPolicy: ''",
        "priorityClassName: ''",
        "affinity: {}",
        "topologySpreadConstraints: []",
        "tolerations: [{key: '', operator: Exists}]",
    ],
)
def test_an_empty_field_of_a_pod_changes_nothing(good: dict[str, str], load: Load, line: str) -> None:
    text = good["web.yaml"].replace("    spec:\n", f"    spec:\n      {line}\n", 1)
    full, plain = both(load, "web.yaml", text, text.replace(line, line.replace("key: '', ", "")))
    without = load({})
    assert full.manifests == plain.manifests
    assert hashes(full) == hashes(plain if "tolerations" in line else without)


@pytest.mark.parametrize(
    "line",
    [
        "imagePullPolicy: ''",
        "securityContext: {seLinuxOptions: {}}",
        "volumeDevices: []",
    ],
)
def test_an_empty_field_of_a_container_changes_nothing(good: dict[str, str], load: Load, line: str) -> None:
    text = good["web.yaml"].replace("image: web:1\n", f"image: web:1\n          {line}\n", 1)
    full, plain = both(load, "web.yaml", text, good["web.yaml"])
    assert hashes(full) == hashes(plain)


def test_a_probe_with_zeros_has_the_defaults(good: dict[str, str], load: Load) -> None:
    zeros = "timeoutSeconds: 0, periodSeconds: 0, successThreshold: 0, failureThreshold: 0"
    action = "readinessProbe: {httpGet: {port: 80, path: '', scheme: ''}, ZEROS}"
    text = good["web.yaml"].replace("image: web:1\n", f"image: web:1\n          {action}\n", 1)
    full, plain = both(
        load, "web.yaml", text.replace("ZEROS", zeros), text.replace(", path: '', scheme: ''}, ZEROS", "}")
    )
    assert hashes(full) == hashes(plain)


def test_ports_and_mounts_may_be_written_out(good: dict[str, str], load: Load) -> None:
    text = good["web.yaml"].replace(
        "containerPort: 8080\n",
        "containerPort: 8080\n              hostPort: 0\n              hostIP: ''\n              protocol: ''\n"
        "          volumeMounts: [{name: v, mountPath: /v, subPath: '', subPathExpr: ''}]\n",
        1,
    )
    text = text.replace("      containers:\n", "      volumes: [{name: v, emptyDir: {}}]\n      containers:\n", 1)
    (web,) = load({"web.yaml": text}).of(Deployment).values()
    (container,) = web.spec.template.spec.containers
    assert (container.ports[0].host_ip, container.ports[0].protocol) == ("", "TCP")
    assert container.volume_mounts[0].sub_path == ""


def test_a_service_may_be_written_out(good: dict[str, str], load: Load) -> None:
    text = good["web-service.yaml"].replace("name: web\n", "name: web\n  namespace: ''\n", 1)
    text = text.replace("spec:\n", "spec:\n  type: ''\n  sessionAffinity: ''\n  externalTrafficPolicy: ''\n", 1)
    for empty in ("0", "''"):
        ports = f"- port: 80\n      name: ''\n      protocol: ''\n      nodePort: 0\n      targetPort: {empty}"
        full, plain = both(
            load,
            "web-service.yaml",
            text.replace("- port: 80\n      targetPort: http", ports, 1),
            good["web-service.yaml"].replace("      targetPort: http\n", "", 1),
        )
        assert full.of(Service) == plain.of(Service)


def test_a_strategy_an_ingress_and_slices_may_be_written_out(
    good: dict[str, str], load: Load, faults: Faults
) -> None:
    others = dedent("""\
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: {name: web}
        spec:
          tls: [{hosts: [], secretName: ''}]
          rules:
            - host: ''
              http:
                paths:
                  - path: ''
                    pathType: ImplementationSpecific
                    backend: {service: {name: web, port: {name: '', number: 80}}}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: database}
        spec: {ports: [{port: 5432}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: database-1, labels: {kubernetes.io/service-name: database}}
        addressType: IPv4
        endpoints: [{addresses: [192.0.2.7]}]
        ports: [{name: '', port: 5432}]
    """)
    web = good["web.yaml"].replace("replicas: 2\n", "replicas: 2\n  strategy: {type: ''}\n", 1)
    assert faults(load({"web.yaml": web, "others.yaml": others})) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("replicas: 2", "replicas: ''", "web.yaml:6:13 /spec/replicas wrong-type"),
        ("image: web:1", "image: ''", "web.yaml:17:18 /spec/template/spec/containers/0/image invalid-value"),
        ("    spec:\n", "    spec:\n      hostname:\n", "web.yaml:15:16 /spec/template/spec/hostname wrong-type"),
        (
            "    spec:\n",
            "    spec:\n      hostname: []\n",
            "web.yaml:15:17 /spec/template/spec/hostname wrong-type",
        ),
        (
            "    spec:\n",
            "    spec:\n      hostname: 0\n",
            "web.yaml:15:17 /spec/template/spec/hostname wrong-type",
        ),
        (
            "    spec:\n",
            "    spec:\n      hostname: false\n",
            "web.yaml:15:17 /spec/template/spec/hostname wrong-type",
        ),
        (
            "    spec:\n",
            "    spec:\n      activeDeadlineSeconds: 0\n",
            "web.yaml:15:30 /spec/template/spec/activeDeadlineSeconds invalid-value",
        ),
    ],
)
def test_what_has_a_meaning_of_its_own_is_looked_at(
    changed: Load, faults: Faults, old: str, new: str, expected: str
) -> None:
    result = changed("web.yaml", old, new)
    assert isinstance(result, Rejected)
    assert faults(result) == [expected]


def test_a_required_field_is_never_taken_for_absent() -> None:
    for compiled in load_schemas(tuple(ADMITTED.by_kind)).values():
        for part in parts(compiled.schema):
            needed = part.get("required", ()) if "properties" in part else ()
            assert [name for name in needed if EMPTY in part["properties"].get(name, {})] == []


def parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from parts(inner)
