"""Records of pins, and what the script says about them."""

import subprocess
from pathlib import Path

import pytest

from reconciler.nodes.pods.failures import Failed
from reconciler.nodes.pods.pinning import ScriptLine, in_words, read_said, record_of
from reconciler.nodes.pods.pins import SCRIPT


def test_a_record_is_a_step_a_line() -> None:
    steps = (("find", "/srv/lent"), ("make", "a b"), ("kind", "directory"), ("sub", "$(x)/*"))
    assert record_of(steps) == "find /srv/lent\nmake a b\nkind directory\nsub $(x)/*\nend\n"  # type: ignore[arg-type]
    with pytest.raises(Failed, match="line break"):
        record_of((("sub", "a\nend"),))


def test_what_is_said_is_read_whatever_is_left_out() -> None:
    output = "pinned\tu1/app/0\t\nfailed\tu1/app/1\toutside\tsub\ta\t\t/\t\n\nleft\tu2/b/0\n"
    assert list(read_said(output)) == [
        ScriptLine("pinned", "u1/app/0"),
        ScriptLine("failed", "u1/app/1", "outside", "sub", "a", "", "/"),
        ScriptLine("left", "u2/b/0"),
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (("outside", "sub", "a", "/v", "/etc"), ("subPath 'a'", "leads out", "/v", "/etc")),
        (("outside", "find", "a", "/srv", "/etc"), ("hostPath /srv/a", "/etc", "podSecurity.hostPaths")),
        (("nothing", "sub-found", "a", "/v", "a"), ("subPath 'a'", "/v", "nothing is made")),
        (("nothing", "find", "/srv/a", "", "a"), ("hostPath /srv/a", "nothing is there")),
        (("kind directory", "find", "/srv/a", "", "fifo"), ("hostPath /srv/a", "a directory", "a fifo")),
        (("making", "make", "a", "/srv", "mkdir: Read-only"), ("hostPath /srv/a", "Read-only")),
        (("moved", "sub", "a", "/v", ""), ("subPath 'a'", "tried again")),
        (("mount", "sub", "a", "/v", "mount: no memory"), ("subPath 'a'", "no memory")),
    ],
)
def test_a_failure_says_where_and_what(said: tuple[str, ...], words: tuple[str, ...]) -> None:
    message = in_words(ScriptLine("failed", "u1/app/0", *said))
    assert all(word in message for word in words), message


@pytest.mark.parametrize("what", ["all", "none"])
def test_where_nothing_is_pinned_the_script_changes_nothing(tmp_path: Path, what: str) -> None:
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    done = subprocess.run(
        ["sh", "-c", SCRIPT, "pin", str(memory), str(disk), what, "u1"], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr, list(tmp_path.iterdir())) == ("", "", [])
