"""A host is known by its key before it learns anything of us."""

from pathlib import Path

import paramiko
import pytest

from reconciler.nodes.errors import HostRefused
from reconciler.nodes.ssh.host_keys import check_host_key, pinned_type


@pytest.fixture(scope="module")
def keys() -> tuple[paramiko.PKey, paramiko.PKey]:
    return paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()


def line(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def test_the_pinned_key_is_accepted_with_or_without_a_comment(keys: tuple[paramiko.PKey, paramiko.PKey]) -> None:
    mine, _ = keys
    check_host_key(mine, "node-1", "192.0.2.1", line(mine), None)
    check_host_key(mine, "node-1", "192.0.2.1", f"{line(mine)} root@node-1", None)
    assert pinned_type(line(mine)) == mine.get_name()


def test_another_key_is_refused_with_both_fingerprints(keys: tuple[paramiko.PKey, paramiko.PKey]) -> None:
    mine, other = keys
    with pytest.raises(HostRefused) as refused:
        check_host_key(other, "node-1", "192.0.2.1", line(mine), None)
    assert mine.fingerprint in str(refused.value)
    assert other.fingerprint in str(refused.value)
    assert "no credential was sent" in str(refused.value)


@pytest.mark.parametrize("pinned", ["ssh-ed25519", "ssh-ed25519 !!!", "nonsense AAAA", "ssh-ed25519 AAAA"])
def test_a_pin_that_is_no_key_is_refused_with_how_to_write_one(
    keys: tuple[paramiko.PKey, paramiko.PKey], pinned: str
) -> None:
    with pytest.raises(HostRefused, match="ssh-keyscan"):
        check_host_key(keys[0], "node-1", "192.0.2.1", pinned, None)


@pytest.mark.rule(2)
def test_without_a_pin_known_hosts_decides(keys: tuple[paramiko.PKey, paramiko.PKey], tmp_path: Path) -> None:
    mine, other = keys
    known = tmp_path / "known_hosts"
    known.write_text(f"[192.0.2.1]:2222 {line(mine)}\n")
    check_host_key(mine, "node-1", "[192.0.2.1]:2222", "", known)
    with pytest.raises(HostRefused, match="replace that line"):
        check_host_key(other, "node-1", "[192.0.2.1]:2222", "", known)
    with pytest.raises(HostRefused, match="is not in"):
        check_host_key(mine, "node-1", "192.0.2.9", "", known)


@pytest.mark.rule(2)
def test_with_neither_nothing_is_trusted(keys: tuple[paramiko.PKey, paramiko.PKey], tmp_path: Path) -> None:
    for known_hosts in (None, tmp_path / "missing"):
        with pytest.raises(HostRefused):
            check_host_key(keys[0], "node-1", "192.0.2.1", "", known_hosts)


@pytest.mark.parametrize("broken", [b"other ssh-ed25519 AAA\n", b"\xff\xfe\n"])
def test_a_broken_line_in_known_hosts_is_named(
    keys: tuple[paramiko.PKey, paramiko.PKey], tmp_path: Path, broken: bytes
) -> None:
    known = tmp_path / "known_hosts"
    known.write_bytes(broken)
    with pytest.raises(
        HostRefused, match=r"node-1: .*known_hosts has a line that is no host key .*remove that line"
    ):
        check_host_key(keys[0], "node-1", "192.0.2.1", "", known)
