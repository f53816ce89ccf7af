"""HAProxy starts after a boot with all that it can listen on."""

import socket
import sys
from pathlib import Path

import pytest

from reconciler.model.addresses import socket_address
from reconciler.nodes.proxy.files import read_binds, read_header
from reconciler.prober import listening

FILE = """\
# fingerprint: f1
# structure: s1
# routed: 10.244.1.2
listen web from tcp
    bind 127.0.0.1:{port}
    bind 203.0.113.77:80
    bind 127.0.0.1:{free}
"""


def test_what_cannot_be_listened_on_is_left_out_and_the_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken, socket.socket() as other:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other.bind(("127.0.0.1", 0))
        port, free = taken.getsockname()[1], other.getsockname()[1]
        other.close()
        file = tmp_path / "haproxy.cfg"
        file.write_text(FILE.format(port=port, free=free))
        monkeypatch.setattr(sys, "argv", ["listening.py", str(file), "0.1"])
        listening.main()
    text = file.read_text()
    assert read_binds(text) == {socket_address(f"127.0.0.1:{free}")}
    header = read_header(text)
    assert (header.fingerprint, header.routed) == ("", frozenset({"10.244.1.2"}))
    assert header.structure == f"s1 without 127.0.0.1:{port},203.0.113.77:80"


def test_a_file_that_can_be_had_whole_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        free = some.getsockname()[1]
    text = f"# fingerprint: f1\n# structure: s1\nlisten web\n    bind 127.0.0.1:{free}\n"
    file = tmp_path / "haproxy.cfg"
    file.write_text(text)
    monkeypatch.setattr(sys, "argv", ["listening.py", str(file), "5"])
    listening.main()
    assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]
