"""The Cluster and its Nodes are read back from the manifests that the store has kept, as they were loaded."""

from textwrap import dedent

import msgspec

from reconciler.kinds import ADMITTED
from reconciler.kinds.cluster.hosts import read_hosts
from reconciler.model.desired import Desired
from reconciler.model.names import Ref
from tests.good_revision import EVERYTHING, GOOD, Load

WITHOUT_USER = dedent(GOOD["node.yaml"]).replace("root@10.0.0.1:22", "10.0.0.1")
OWN_USER = dedent(GOOD["cluster.yaml"]) + "spec: {ssh: {user: ops, port: 2222}}\n"


def test_hosts_are_as_they_were_loaded(load: Load) -> None:
    every_field: dict[str, str | None] = {**dict.fromkeys(GOOD), "everything.yaml": EVERYTHING}
    for changed in ({}, every_field, {"node.yaml": WITHOUT_USER, "cluster.yaml": OWN_USER}):
        desired = load(changed)
        assert isinstance(desired, Desired)
        kept = msgspec.json.decode(msgspec.json.encode(list(desired.manifests.items())))
        assert read_hosts({Ref(*ref): one for ref, one in kept}, ADMITTED) == (desired.cluster, desired.nodes)
    assert desired.nodes["node-1"].ssh.user == "ops"


def test_without_all_of_them_or_in_another_form_there_are_none(load: Load) -> None:
    manifests = load({}).manifests
    cluster, node = Ref("Cluster", "", "lab"), Ref("Node", "", "node-1")
    assert read_hosts(manifests, ADMITTED) is not None
    assert read_hosts({}, ADMITTED) is None
    assert read_hosts({cluster: manifests[cluster]}, ADMITTED) is None
    assert read_hosts({node: manifests[node]}, ADMITTED) is None
    assert read_hosts({**manifests, node: {"kind": "Node", "metadata": {"name": "node-1"}}}, ADMITTED) is None
    assert read_hosts({**manifests, cluster: {"kind": "Cluster", "metadata": 7}}, ADMITTED) is None
