"""Logging in to a real SSH server: which keys are offered, and what is said where none can be used."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from reconciler.model.api.core.node import Node, SshAddress
from reconciler.model.api.meta import ObjectMeta
from reconciler.nodes.errors import ConnectionLost
from reconciler.nodes.ssh.connection import SshConnection
from reconciler.nodes.ssh.login import Credentials
from tests.git_server import GitServer

SECONDS = 20.0


def key_file(path: Path, passphrase: str = "", form: str = "RFC4716") -> Path:
    command = ["ssh-keygen", "-q", "-t", "ecdsa", "-m", form, "-N", passphrase, "-f", str(path)]
    subprocess.run(command, check=True, timeout=30)
    return path


@pytest.fixture
def accepted(tmp_path: Path) -> Path:
    return key_file(tmp_path / "accepted")


@pytest.fixture
def server(tmp_path: Path, accepted: Path) -> Iterator[GitServer]:
    server = GitServer(tmp_path, paramiko.PKey.from_path(accepted))
    try:
        yield server
    finally:
        server.close()


def node(server: GitServer) -> Node:
    return Node(ObjectMeta("node-1"), SshAddress("root", "127.0.0.1", server.port), host_key=server.known_host)


@pytest.mark.parametrize("form", ["RFC4716", "PEM"])
def test_a_key_with_a_passphrase_is_named_with_the_way_out(server: GitServer, tmp_path: Path, form: str) -> None:
    protected = key_file(tmp_path / "protected", "a passphrase", form)
    with pytest.raises(ConnectionLost) as refused:
        SshConnection.connect(node(server), Credentials((protected,)), SECONDS)
    said = str(refused.value)
    assert f"the private key {protected} is protected by a passphrase" in said
    assert f"ssh-add {protected}" in said
    assert server.logins == 0


def test_a_key_that_cannot_be_used_does_not_keep_the_next_one_from_being_offered(
    server: GitServer, tmp_path: Path, accepted: Path
) -> None:
    protected = key_file(tmp_path / "protected", "a passphrase")
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("not a key")
    SshConnection.connect(node(server), Credentials((protected, nonsense, accepted)), SECONDS).close()


def test_of_keys_that_are_refused_it_is_told_which_could_not_be_offered(server: GitServer, tmp_path: Path) -> None:
    other, missing = key_file(tmp_path / "other"), tmp_path / "missing"
    with pytest.raises(ConnectionLost) as refused:
        SshConnection.connect(node(server), Credentials((other, missing)), SECONDS)
    said = str(refused.value)
    assert "did not accept the key" in said
    assert f"the private key {missing} cannot be used" in said


def test_a_connection_that_is_gone_says_so_and_not_what_its_library_calls_it(
    server: GitServer, accepted: Path
) -> None:
    there = node(server)
    ssh = SshConnection.connect(there, Credentials((accepted,)), SECONDS)
    server.close()
    with pytest.raises(ConnectionLost) as lost:
        ssh.open(("docker", "version"), 5.0)
    ssh.close()
    assert f"the SSH connection to {there.ssh} was lost" in str(lost.value)
    assert "while starting `docker`" in str(lost.value)
    assert "channel" not in str(lost.value)


def test_a_sign_of_life_is_had_from_a_server_that_is_there_and_from_none_that_is_gone(
    server: GitServer, accepted: Path
) -> None:
    ssh = SshConnection.connect(node(server), Credentials((accepted,)), SECONDS)
    try:
        assert all(ssh.pulse(SECONDS) for _ in range(3))
        server.close()
        assert not ssh.pulse(0.5)
    finally:
        ssh.close()
