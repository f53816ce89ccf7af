"""The demo's repository: the example once, the hosts' manifests always, and nobody's own work touched."""

from pathlib import Path

import pygit2
import pytest
import yaml

from reconciler.lab import Lab, LabError, LabNode
from reconciler.lab.network import Network
from reconciler.lab.repo import ensure_repository, node_manifests
from reconciler.lab.state import LabState, write_state


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "lab").mkdir()
    return with_nodes(tmp_path, 2)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    example = tmp_path / "example"
    (example / "nodes").mkdir(parents=True)
    (example / "shop").mkdir()
    (example / "cluster.yaml").write_text("kind: Cluster\n")
    (example / "shop/web.yaml").write_text("kind: Deployment\n")
    (example / "nodes/old.yaml").write_text("kind: Node\n")
    return example


def with_nodes(tmp_path: Path, count: int) -> Lab:
    nodes = tuple(
        LabNode(f"node-{i}", i, f"10.77.0.{10 + i}", 22, f"ssh-ed25519 KEY{i}") for i in range(1, count + 1)
    )
    write_state(tmp_path / "lab", LabState(nodes, Network()))
    return Lab.open(tmp_path / "lab")


def committed(repository: Path) -> set[str]:
    repo = pygit2.Repository(str(repository))
    index = pygit2.Index()
    index.read_tree(repo[repo.head.target].peel(pygit2.Tree))
    return {entry.path for entry in index}


def commits(repository: Path) -> int:
    repo = pygit2.Repository(str(repository))
    return len(list(repo.walk(repo.head.target)))


def test_a_manifest_is_a_node_with_its_address_and_key(lab: Lab) -> None:
    manifests = node_manifests(lab)
    assert list(manifests) == ["node-1.yaml", "node-2.yaml"]
    assert yaml.safe_load(manifests["node-2.yaml"]) == {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": "node-2",
            "labels": {"kubernetes.io/hostname": "node-2", "topology.kubernetes.io/zone": "lab"},
            "annotations": {
                "reconciler.dev/ssh": "ssh://root@10.77.0.12:22",
                "reconciler.dev/host-key": "ssh-ed25519 KEY2",
            },
        },
    }


def test_a_new_repository_has_the_example_with_our_hosts_instead_of_its_own(
    lab: Lab, example: Path, tmp_path: Path
) -> None:
    repo = tmp_path / "repo"
    assert ensure_repository(lab, repo, example)
    files = {"cluster.yaml", "shop/web.yaml", "nodes/node-1.yaml", "nodes/node-2.yaml"}
    assert committed(repo) == files
    assert {str(p.relative_to(repo)) for p in repo.rglob("*") if p.is_file() and ".git" not in p.parts} == files
    assert pygit2.Repository(str(repo)).status() == {}


def test_nothing_is_committed_while_the_hosts_are_the_same(lab: Lab, example: Path, tmp_path: Path) -> None:
    ensure_repository(lab, tmp_path / "repo", example)
    assert not ensure_repository(lab, tmp_path / "repo", example)
    assert commits(tmp_path / "repo") == 1


def test_changed_hosts_are_committed_and_work_in_progress_is_left_alone(
    lab: Lab, example: Path, tmp_path: Path
) -> None:
    repo = tmp_path / "repo"
    ensure_repository(lab, repo, example)
    (repo / "cluster.yaml").write_text("in progress\n")
    assert ensure_repository(with_nodes(tmp_path, 3), repo, example)
    assert "nodes/node-3.yaml" in committed(repo)
    assert ensure_repository(with_nodes(tmp_path, 1), repo, example)
    assert committed(repo) == {"cluster.yaml", "shop/web.yaml", "nodes/node-1.yaml"}
    assert (repo / "cluster.yaml").read_text() == "in progress\n"
    status = pygit2.Repository(str(repo)).status()
    assert status == {"cluster.yaml": pygit2.enums.FileStatus.WT_MODIFIED}


def test_directories_of_others_are_refused(lab: Lab, example: Path, tmp_path: Path) -> None:
    pygit2.init_repository(str(tmp_path / "foreign"))
    with pytest.raises(LabError, match="did not make"):
        ensure_repository(lab, tmp_path / "foreign", example)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(LabError, match="not a Git repository"):
        ensure_repository(lab, tmp_path / "full", example)
