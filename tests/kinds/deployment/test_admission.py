"""Faults within one Deployment that only a look at several of its fields shows."""

import pytest

from reconciler.model.desired import Rejected
from tests.good_revision import Faults, Load

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
