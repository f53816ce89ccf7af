"""Why a Git server is not trusted is said in words, whatever else is in known_hosts."""

from pathlib import Path

import paramiko
import pytest

from reconciler.sources.git_address import GitAccess, RemoteAddress, parse_address
from reconciler.sources.git_clone import distrust


@pytest.mark.parametrize(
    "broken", [b"other ssh-ed25519 AAA\n", b"other ssh-ed25519 AAAA\n", b"\xff\xfe x y\n", b"\n# x\n"]
)
def test_a_broken_line_in_known_hosts_is_passed_over(tmp_path: Path, broken: bytes) -> None:
    address = parse_address("ssh://git@git.example.com:2222/shop")
    assert isinstance(address, RemoteAddress)
    known = tmp_path / "known_hosts"
    access = GitAccess(known_hosts=str(known))
    known.write_bytes(broken)
    assert "has no line for [git.example.com]:2222" in distrust(address, access)[0]
    key = paramiko.ECDSAKey.generate()
    known.write_bytes(broken + f"[git.example.com]:2222 {key.get_name()} {key.get_base64()}\n".encode())
    assert "is not the one that" in distrust(address, access)[0]
    hashed = paramiko.HostKeys.hash_host("[git.example.com]:2222")
    known.write_bytes(broken + f"{hashed} {key.get_name()} {key.get_base64()}\n".encode())
    assert "is not the one that" in distrust(address, access)[0]
