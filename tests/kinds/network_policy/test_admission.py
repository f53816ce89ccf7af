"""A NetworkPolicy that could not mean what it says is refused, with the place."""

import pytest

from reconciler.model.api.networking import NetworkPolicy
from reconciler.model.desired import Desired
from reconciler.model.names import Ref
from tests.good_revision import Load

POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: web}}
spec:
  podSelector: {selector}
  ingress: [{ingress}]
"""


def policy(ingress: str = "{}", selector: str = "{}") -> dict[str, str]:
    return {"policy.yaml": POLICY.format(selector=selector, ingress=ingress)}


def test_a_policy_is_one_of_the_desired_objects(load: Load) -> None:
    result = load(policy("{from: [{podSelector: {matchLabels: {app: edge}}}]}"))
    assert isinstance(result, Desired)
    (found,) = result.of(NetworkPolicy).values()
    assert set(result.of(NetworkPolicy)) == {Ref("NetworkPolicy", "default", "web")}
    assert found.spec.ingress[0].peers[0].pod_selector is not None
    assert found.spec.policy_types == ()


@pytest.mark.parametrize(
    ("ingress", "code", "pointer"),
    [
        ("{from: [{}]}", "invalid-value", "/spec/ingress/0/from/0"),
        (
            "{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}",
            "conflicting-fields",
            "/spec/ingress/0/from/0",
        ),
        (
            "{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}",
            "outside-cidr",
            "/spec/ingress/0/from/0/ipBlock/except/0",
        ),
        (
            "{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}",
            "outside-cidr",
            "/spec/ingress/0/from/0/ipBlock/except/0",
        ),
        ("{ports: [{port: http, endPort: 90}]}", "conflicting-fields", "/spec/ingress/0/ports/0/endPort"),
        ("{ports: [{endPort: 90}]}", "conflicting-fields", "/spec/ingress/0/ports/0/endPort"),
        ("{ports: [{port: 90, endPort: 80}]}", "invalid-value", "/spec/ingress/0/ports/0/endPort"),
        ("{ports: [{protocol: ICMP}]}", "invalid-value", "/spec/ingress/0/ports/0/protocol"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(load: Load, ingress: str, code: str, pointer: str) -> None:
    found = load(policy(ingress)).problems
    assert [(str(problem.code), problem.pointer) for problem in found] == [(code, pointer)]


@pytest.mark.parametrize(
    ("selector", "code"),
    [
        ("{matchExpressions: [{key: a, operator: In}]}", "missing-field"),
        ("{matchExpressions: [{key: a, operator: Exists, values: [b]}]}", "conflicting-fields"),
        ("{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}", None),
    ],
)
def test_an_expression_has_the_values_that_its_operator_takes(load: Load, selector: str, code: str | None) -> None:
    result = load(policy(selector=selector))
    problems = () if isinstance(result, Desired) else result.problems
    assert [str(problem.code) for problem in problems] == ([code] if code else [])
