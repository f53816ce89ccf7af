"""Make the demo's Git repository: the example's files, and one Node manifest per host of the lab."""

import os
from pathlib import Path

import pygit2
import yaml

from reconciler.lab.errors import LabError
from reconciler.lab.lab import Lab

_MARK = "reconciler.lab"
_AUTHOR = pygit2.Signature("reconciler lab", "lab@localhost")
_NODES = "nodes"


def node_manifests(lab: Lab) -> dict[str, str]:
    """One `v1 Node` per host: file name (`node-1.yaml`) to text."""
    return {
        f"{record.name}.yaml": yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": record.name,
                    "labels": {
                        "kubernetes.io/hostname": record.name,
                        "topology.kubernetes.io/zone": "lab",
                    },
                    "annotations": {
                        "reconciler.dev/ssh": f"ssh://root@{record.ip}:{record.ssh_port}",
                        "reconciler.dev/host-key": record.host_key,
                    },
                },
            },
            sort_keys=False,
            width=1000,
        )
        for record in lab.records
    }


def example_directory() -> Path:
    """`example-repo/` of the checkout this package runs from."""
    found = Path(__file__).resolve().parents[2] / "example-repo"
    if not found.is_dir():
        raise LabError(
            f"{found} is missing: --repo works from a checkout of the project, not from an installed wheel"
        )
    return found


def ensure_repository(lab: Lab, directory: Path, example: Path | None = None) -> bool:
    """Make the repository, or bring the Node manifests of one made earlier up to date. True if it committed."""
    manifests = {f"{_NODES}/{name}": text.encode() for name, text in node_manifests(lab).items()}
    if (directory / ".git").exists():
        return _update(_open_own(directory), manifests)
    if directory.exists() and any(directory.iterdir()):
        raise LabError(f"{directory} has files and is not a Git repository: name an empty or new directory")
    source = example or example_directory()
    files = {path: (source / path).read_bytes() for path in _example_files(source)}
    repository = pygit2.init_repository(str(directory), initial_head="main")
    repository.config[_MARK] = True
    if "user.name" not in repository.config:  # so that the reader's own first `git commit` works
        repository.config["user.name"] = _AUTHOR.name
        repository.config["user.email"] = _AUTHOR.email
    _commit(repository, {**files, **manifests}, gone=set(), message="The example, on the hosts of the lab")
    repository.checkout("HEAD", strategy=pygit2.enums.CheckoutStrategy.FORCE)
    return True


def _open_own(directory: Path) -> pygit2.Repository:
    repository = pygit2.Repository(str(directory))
    if _MARK not in repository.config:
        raise LabError(
            f"{directory} is a Git repository that the lab did not make, so it is left alone: "
            "name an empty or new directory"
        )
    return repository


def _update(repository: pygit2.Repository, manifests: dict[str, bytes]) -> bool:
    """Commit changed nodes/node-*.yaml on top of HEAD, and nothing else that may lie in the work tree or index."""
    tree = repository[repository.head.target].peel(pygit2.Tree)
    before: dict[str, bytes] = {}
    if _NODES in tree:
        folder = tree[_NODES].peel(pygit2.Tree)
        before = {
            f"{_NODES}/{blob.name}": blob.peel(pygit2.Blob).data for blob in folder if _is_ours(str(blob.name))
        }
    if before == manifests:
        return False
    gone = set(before) - set(manifests)
    _commit(repository, manifests, gone, "The hosts of the lab changed")
    work_tree = Path(repository.workdir)
    repository.index.read()
    for path, data in manifests.items():
        (work_tree / path).parent.mkdir(parents=True, exist_ok=True)
        (work_tree / path).write_bytes(data)
        repository.index.add(path)
    for path in gone:
        (work_tree / path).unlink(missing_ok=True)
        if path in repository.index:
            repository.index.remove(path)
    repository.index.write()
    return True


def _is_ours(name: str) -> bool:
    return name.startswith("node-") and name.endswith(".yaml")


def _example_files(source: Path) -> list[str]:
    """Every file except the example's own hosts; symbolic links are not followed."""
    found = []
    for folder, directories, names in os.walk(source):
        inside = Path(folder).relative_to(source)
        directories[:] = [name for name in directories if name != ".git" and str(inside / name) != _NODES]
        found += [str(inside / name) for name in names if not (Path(folder) / name).is_symlink()]
    return sorted(found)


def _commit(repository: pygit2.Repository, files: dict[str, bytes], gone: set[str], message: str) -> None:
    index = pygit2.Index()
    parents = []
    if not repository.head_is_unborn:
        parents = [repository.head.target]
        index.read_tree(repository[parents[0]].peel(pygit2.Tree))
    for path in gone:
        index.remove(path)
    for path, data in files.items():
        blob = repository.create_blob(data)
        index.add(pygit2.IndexEntry(path, blob, pygit2.enums.FileMode.BLOB))
    tree = index.write_tree(repository)
    branch = str(repository.lookup_reference("HEAD").target)
    repository.create_commit(branch, _AUTHOR, _AUTHOR, message, tree, parents)
