"""A Secret with a registry's login has the form of one."""

import pytest

from tests.good_revision import Faults, Load

LOGIN = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{"auths": {"registry.example.org": {"auth": "dXNlcjpwYXNz"}}}'
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dXNlcjpwYXNz", "dXNlcg=="),
        ("dXNlcjpwYXNz", "%%%"),
        ('"auths"', '"auth"'),
        ("'{", "'[{"),
        ("  .dockerconfigjson", "  dockerconfigjson"),
    ],
)
def test_a_login_that_is_none_is_refused(load: Load, faults: Faults, old: str, new: str) -> None:
    result = load({"l.yaml": LOGIN.replace(old, new)})
    assert faults(result) == ["l.yaml:4:7 /type invalid-login"]
    assert "dXNlcg" not in str(result)
