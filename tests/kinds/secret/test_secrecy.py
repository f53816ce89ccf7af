"""A Secret's value is in no message, however wrong the Secret is."""

import pytest

from reconciler.model.desired import Rejected
from tests.good_revision import Faults, Load

CANARY = "hunter2"
ENCODED = "aHVudGVyMg=="
HEAD = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: wrong\n"


@pytest.mark.fault(24)
@pytest.mark.rule(7)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stringData:\n  pin: 0123\n", "s.yaml:6:8 /stringData/pin ambiguous-value"),
        ("stringData:\n  pin: 4711\n", "s.yaml:6:8 /stringData/pin wrong-type"),
        ("stringData:\n  pin: 2026-01-01\n", "s.yaml:6:8 /stringData/pin ambiguous-value"),
        ("stringData:\n  pin: [4711, hunter2]\n", "s.yaml:6:8 /stringData/pin wrong-type"),
        ("stringData:\n  pin: *hunter2\n", "s.yaml:6:8  syntax"),
        ("stringData:\n  pin: !hunter2 x\n", "s.yaml:6:8 /stringData/pin tag"),
        ("stringData:\n  pin: &hunter2 4711\n", "s.yaml:6:8 /stringData/pin wrong-type"),
        ("stringData: hunter2\n", "s.yaml:5:13 /stringData wrong-type"),
        ('stringData:\n  pin: "hunter2\\0"\n', "s.yaml:6:8 /stringData/pin invalid-value"),
        ("data:\n  pin: hunter2\n", "s.yaml:6:8 /data/pin not-base64"),
        (
            "type: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '{\"hunter2\": 4711}'\n",
            "s.yaml:5:7 /type invalid-login",
        ),
        ("data:\n  pin: 4711\n", "s.yaml:6:8 /data/pin wrong-type"),
        ("data: [hunter2]\n", "s.yaml:5:7 /data wrong-type"),
        ("type: [hunter2]\ndata: {}\n", "s.yaml:5:7 /type wrong-type"),
        ("immutable: 0123\nkind: Secret\n", "s.yaml:6:1 /kind duplicate-key"),
        ("data:\n  pin: [hunter2]\nother: 1\nkind: Pod\n", "s.yaml:8:1 /kind duplicate-key"),
        ("spec: hunter2\nkind: Pod\n", "s.yaml:6:1 /kind duplicate-key"),
        ("binaryData:\n  pin: hunter2\n", "s.yaml:5:1 /binaryData unknown-field"),
        (
            "  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: hunter2\n",
            "s.yaml:6:5 /metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration refused-field",
        ),
    ],
)
def test_a_wrong_secret_is_refused_without_its_value(
    load: Load, faults: Faults, text: str, expected: object
) -> None:
    result = load({"s.yaml": HEAD + text})
    assert isinstance(result, Rejected)
    assert expected in faults(result)
    told = "\n".join(map(str, result.problems))
    for value in (CANARY, ENCODED, "4711", "0123", "2026-01-01"):
        assert value not in told, told


@pytest.mark.fault(24)
@pytest.mark.rule(7)
def test_a_misspelt_secret_is_treated_as_one(load: Load) -> None:
    result = load({"s.yaml": HEAD.replace("Secret", "Secert") + "stringData:\n  pin: 0123\n  other: no\n"})
    assert isinstance(result, Rejected)
    assert "0123" not in str(result)
    assert "did you mean Secret?" in str(result)


@pytest.mark.rule(7)
def test_an_accepted_secret_shows_nothing_of_its_value(load: Load) -> None:
    desired = load({"s.yaml": HEAD + f"data:\n  pin: {ENCODED}\nstringData:\n  other: {CANARY}\n"})
    for shown in (repr(desired), str(desired.manifests)):
        assert CANARY not in shown
        assert ENCODED not in shown
