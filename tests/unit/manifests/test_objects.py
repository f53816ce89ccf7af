"""Faults within one object that only a look at several of its fields shows."""

import pytest

from reconciler.model.desired import Rejected
from tests.unit.manifests.conftest import Faults, Load

AT = "/spec/template/spec/containers/0"


@pytest.mark.fault(22)
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("      app: web", "      app: wbe", "web.yaml:9:7 /spec/selector/matchLabels selector-mismatch"),
        (
            "    spec:\n",
            "    spec:\n      restartPolicy: Never\n",
            "web.yaml:15:22 /spec/template/spec/restartPolicy restart-policy",
        ),
        ("cpu: 1\n", "cpu: 50m\n", f"web.yaml:32:20 {AT}/resources/requests/cpu impossible-resources"),
        (
            "limits:\n",
            "limits:\n              memory: 128m\n",
            f"web.yaml:34:23 {AT}/resources/limits/memory impossible-resources",
        ),
        (
            "limits:\n",
            "limits:\n              memory: 6291455\n",
            f"web.yaml:34:23 {AT}/resources/limits/memory impossible-resources",
        ),
        ("cpu: 100m", "cpu: -1", f"web.yaml:32:20 {AT}/resources/requests/cpu impossible-resources"),
        (
            "  replicas: 2",
            "  strategy:\n    rollingUpdate:\n      maxSurge: 0%\n      maxUnavailable: 0",
            "web.yaml:8:7 /spec/strategy/rollingUpdate impossible-rollout",
        ),
        (
            "  replicas: 2",
            "  strategy:\n    type: Recreate\n    rollingUpdate: {maxSurge: 1}",
            "web.yaml:8:5 /spec/strategy/rollingUpdate conflicting-fields",
        ),
        (
            "  replicas: 2",
            "  strategy:\n    type: Recreate\n    rollingUpdate: {}",
            "web.yaml:8:5 /spec/strategy/rollingUpdate conflicting-fields",
        ),
        (
            "containerPort: 8080",
            "containerPort: 8080\n            - name: http\n              containerPort: 81",
            f"web.yaml:21:21 {AT}/ports/1/name duplicate-name",
        ),
        (
            "containerPort: 8080",
            "containerPort: 80\n              hostPort: 80\n"
            "            - containerPort: 81\n              hostPort: 80",
            f"web.yaml:23:25 {AT}/ports/1/hostPort duplicate-port",
        ),
        (
            "        - name: web\n",
            "        - name: web\n          image: web:1\n        - name: web\n",
            "web.yaml:18:17 /spec/template/spec/containers/1/name duplicate-name",
        ),
        (
            "name: TOKEN\n",
            "name: TOKEN\n              value: x\n",
            f"web.yaml:28:17 {AT}/env/0/valueFrom conflicting-fields",
        ),
        (
            "        - configMapRef:",
            "        - prefix: A_\n            - configMapRef:",
            f"web.yaml:22:15 {AT}/envFrom/0 conflicting-fields",
        ),
    ],
)
def test_a_contradiction_in_a_deployment_is_refused(
    changed: Load, faults: Faults, old: str, new: str, expected: object
) -> None:
    result = changed("web.yaml", old, new)
    assert isinstance(result, Rejected)
    assert expected in faults(result)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "targetPort: http",
            "nodePort: 30080",
            "web-service.yaml:10:17 /spec/ports/0/nodePort conflicting-fields",
        ),
        ("targetPort: http", "nodePort: 80", "web-service.yaml:10:17 /spec/ports/0/nodePort invalid-value"),
        (
            "  selector",
            "  type: NodePort\n  clusterIP: None\n  selector",
            "web-service.yaml:7:14 /spec/clusterIP conflicting-fields",
        ),
        (
            "    - port: 80",
            "    - port: 80\n      name: a\n    - port: 80\n      name: a",
            "web-service.yaml:11:13 /spec/ports/1/port duplicate-port",
        ),
        ("    - port: 80", "    - port: 81\n    - port: 80", "web-service.yaml:9:7 /spec/ports/0 missing-field"),
    ],
)
def test_a_contradiction_in_a_service_is_refused(
    changed: Load, faults: Faults, old: str, new: str, expected: object
) -> None:
    assert expected in faults(changed("web-service.yaml", old, new))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("podCIDR: 10.244.1.0/16", "cluster.yaml:6:12 /spec/podCIDR invalid-address"),
        ("podCIDR: 10.244.0.0/33", "cluster.yaml:6:12 /spec/podCIDR invalid-value"),
        ("serviceCIDR: 10.244.128.0/17", "cluster.yaml:6:16 /spec/serviceCIDR overlapping-cidrs"),
        ("serviceCIDR: 10.97.0.0/29", "cluster.yaml:6:16 /spec/serviceCIDR outside-cidr"),
        ("podCIDR: 10.8.0.0/26", "cluster.yaml:6:3 /spec/nodePrefix outside-cidr"),
        ("podCidr: 10.8.0.0/16", "cluster.yaml:6:3 /spec/podCidr unknown-field"),
    ],
)
def test_a_contradiction_in_the_cluster_is_refused(
    load: Load, faults: Faults, good: dict[str, str], spec: str, expected: object
) -> None:
    assert expected in faults(load({"cluster.yaml": good["cluster.yaml"] + f"spec:\n  {spec}\n"}))


SSH = "/metadata/annotations/reconciler.dev~1ssh"
HOST_KEY = "/metadata/annotations/reconciler.dev~1host-key"
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIGmUSXw2Y0dHbGzCBm2ynN3rAy7jSdpyBb9fCQk3TpYk"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("reconciler.dev/ssh:", "other:", "node.yaml:6:5 /metadata/annotations missing-field"),
        ("ssh://root@", "http://root@", f"node.yaml:6:25 {SSH} invalid-value"),
        ("ssh://root@", "ssh://-oProxyCommand=id@", f"node.yaml:6:25 {SSH} invalid-value"),
        ("root@10.0.0.1", "-oProxyCommand=id", f"node.yaml:6:25 {SSH} invalid-value"),
        (":22", ":99999", f"node.yaml:6:25 {SSH} invalid-address"),
        (":22\n", f":22\n    reconciler.dev/host-key: {KEY}\n", f"node.yaml:7:30 {HOST_KEY} invalid-value"),
        (
            ":22\n",
            f":22\n    reconciler.dev/host-key: ssh-ed25519 {KEY[:-5]}\n",
            f"node.yaml:7:30 {HOST_KEY} invalid-host-key",
        ),
        (
            ":22\n",
            f":22\n    reconciler.dev/host-key: ssh-rsa {KEY}\n",
            f"node.yaml:7:30 {HOST_KEY} invalid-host-key",
        ),
    ],
)
def test_a_host_that_could_not_be_reached_is_refused(
    changed: Load, faults: Faults, old: str, new: str, expected: object
) -> None:
    assert faults(changed("node.yaml", old, new)) == [expected]


def test_a_host_key_is_kept_without_its_comment(changed: Load) -> None:
    result = changed("node.yaml", ":22\n", f":22\n    reconciler.dev/host-key: ssh-ed25519 {KEY} root@host\n")
    assert result.nodes["node-1"].host_key == f"ssh-ed25519 {KEY}"


def test_a_host_can_have_an_ipv6_address(changed: Load) -> None:
    result = changed("node.yaml", "root@10.0.0.1:22", "root@[fd00::1]:2222")
    assert (result.nodes["node-1"].ssh.host, result.nodes["node-1"].ssh.port) == ("fd00::1", 2222)


@pytest.mark.parametrize(
    ("field", "amount", "fix"),
    [
        ("limits", "128m", "did you mean 128M or 128Mi?"),
        ("limits", "4Mi", "write 6Mi or more, or leave the limit out"),
        ("requests", "128m", "did you mean 128M or 128Mi?"),
        ("requests", "0.5", "write whole bytes"),
        ("limits", "7000000.5", "write whole bytes"),
    ],
)
def test_an_amount_of_memory_that_cannot_be_meant_is_told(
    changed: Load, field: str, amount: str, fix: str
) -> None:
    result = changed("web.yaml", f"{field}:\n", f"{field}:\n              memory: {amount}\n")
    (problem,) = result.problems if isinstance(result, Rejected) else result.warnings
    assert (problem.code, problem.fix) == ("impossible-resources", fix)
    assert isinstance(result, Rejected) == (field == "limits" and amount != "7000000.5")


@pytest.mark.parametrize("amount", ["0", "6Mi", "6291456", "7000000000m"])
def test_any_other_limit_of_memory_is_accepted(changed: Load, faults: Faults, amount: str) -> None:
    assert faults(changed("web.yaml", "limits:\n", f"limits:\n              memory: {amount}\n")) == []


@pytest.mark.parametrize(
    "metadata", ["{name: node-1}", "{name: node-1, annotations: {}}", "{name: node-1, annotations: {a: b}}"]
)
def test_a_node_without_its_address_is_told_which_annotation_it_lacks_and_its_form(
    load: Load, metadata: str
) -> None:
    result = load({"node.yaml": f"apiVersion: v1\nkind: Node\nmetadata: {metadata}\n"})
    assert isinstance(result, Rejected)
    (problem,) = result.problems
    assert '"reconciler.dev/ssh"' in problem.message
    assert "ssh://root@10.0.0.5:22" in problem.fix
