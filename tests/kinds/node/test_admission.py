"""A Node says how its host is reached, and whose host it is."""

import pytest

from reconciler.model.desired import Rejected
from tests.good_revision import Faults, Load

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
