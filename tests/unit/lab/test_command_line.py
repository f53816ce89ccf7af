"""`reconciler lab` without a lab: every refusal is a sentence with a way out, and exit code 2."""

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler.cli.lab import lab
from reconciler.lab import packages


def call(directory: Path, *arguments: str) -> Result:
    return CliRunner().invoke(lab, arguments, env={"RECONCILER_LAB_DIR": str(directory)})


def test_status_without_a_lab_says_how_to_make_one(tmp_path: Path) -> None:
    result = call(tmp_path, "status")
    assert result.exit_code == 1
    assert "`reconciler lab up` makes one" in result.output


def test_only_root_can_bring_it_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = call(tmp_path, "up")
    assert result.exit_code == 2
    assert "as root (sudo)" in result.output


def test_missing_packages_are_not_installed_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "missing_packages", lambda: ["docker.io", "mmdebstrap"])
    result = call(tmp_path, "up")
    assert result.exit_code == 2
    assert "reconciler lab up --yes" in result.output
    assert "apt-get install --yes --no-install-recommends docker.io mmdebstrap" in result.output


def test_an_unknown_node_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for arguments in (("ssh", "node-1"), ("node", "cut", "node-1")):
        result = call(tmp_path, *arguments)
        assert result.exit_code == 2
        assert "the lab has no node 'node-1'" in result.output


def test_every_command_has_help() -> None:
    for arguments in (
        ["up"],
        ["down"],
        ["status"],
        ["ssh"],
        *(["node", a] for a in ("stop", "start", "pause", "cut", "heal")),
    ):
        result = CliRunner().invoke(lab, [*arguments, "--help"])
        assert result.exit_code == 0
        assert len(result.output.splitlines()) > 3


def test_nothing_is_missing_where_everything_is_installed_and_all_of_it_where_nothing_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: "/usr/bin/found")
    assert packages.missing_packages() == []
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert set(packages.missing_packages()) >= {
        "docker.io",
        "openssh-server",
        "iproute2",
        "iptables",
        "mmdebstrap",
    }
