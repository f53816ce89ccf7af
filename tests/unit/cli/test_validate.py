"""`reconciler validate -o github`: annotations stand beside the right file of the repository."""

from pathlib import Path

import pygit2
import pytest
from click.testing import CliRunner

from reconciler.cli import cli


@pytest.mark.parametrize(("folder", "file"), [("deploy/k8s", "deploy/k8s/bad.yaml"), (".", "bad.yaml")])
def test_annotations_have_paths_from_the_root_of_the_repository(tmp_path: Path, folder: str, file: str) -> None:
    pygit2.init_repository(str(tmp_path))
    manifests = tmp_path / folder
    manifests.mkdir(parents=True, exist_ok=True)
    (manifests / "bad.yaml").write_text("apiVersion: v1\nkind: Frob\n")
    result = CliRunner().invoke(cli, ["validate", str(manifests), "-o", "github"])
    assert result.exit_code == 2
    assert f"::error file={file},line=2,col=" in result.stdout


def test_it_needs_nothing_that_hosts_need(tmp_path: Path) -> None:
    """Nor does it look for the key that other commands find in the environment."""
    (tmp_path / "bad.yaml").write_text("apiVersion: v1\nkind: Frob\n")
    result = CliRunner().invoke(cli, ["validate", str(tmp_path)], env={"RECONCILER_SSH_KEY": "/nowhere/key"})
    assert result.exit_code == 2
    assert "bad.yaml:2" in result.stdout
    assert "--ssh-key" not in CliRunner().invoke(cli, ["validate", "--help"]).stdout


def test_without_a_repository_paths_are_those_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: v1\nkind: Frob\n")
    result = CliRunner().invoke(cli, ["validate", str(tmp_path), "-o", "github"])
    assert "::error file=bad.yaml,line=2,col=" in result.stdout
