"""How a command ends that could not do what it was asked: exit code 2, and a sentence with a way out."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from reconciler.cli import error_code, main
from reconciler.store.sqlite import SqliteStore

LONELY = (
    "apiVersion: reconciler.dev/v1\nkind: Cluster\nmetadata:\n  name: c\n---\n"
    "apiVersion: v1\nkind: Node\nmetadata:\n  name: node-1\n"
    "  annotations:\n    reconciler.dev/ssh: ssh://127.0.0.1:1\n"
)
"""A cluster of one host, which does not answer."""


def reconciler(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("get", "pods", "--state", "/nowhere"), "there is no state here (start `reconciler run` first"),
        (("validate", "--git", "https://me:secret@host/shop"), "holds a credential, and URLs end in logs"),
        (("validate", "/nowhere"), "No such file or directory (restore the folder"),
        (
            ("validate", "/etc/hostname"),
            "/etc/hostname is a file, and a source is a folder of manifests (name the",
        ),
    ],
)
def test_an_expected_failure_is_one_sentence(arguments: tuple[str, ...], words: str) -> None:
    done = reconciler(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert done.stderr.startswith("Error: ")
    assert "TRACEBACK" not in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("module", "command"),
    [("paramiko", ("diff", "base")), ("pygit2", ("validate", "base")), ("msgspec", ("get", "pods"))],
)
def test_a_command_that_cannot_be_loaded_is_an_error_and_no_answer(module: str, command: tuple[str, ...]) -> None:
    """1 would be the changes of `diff`. The traceback is for who asks for it."""
    script = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv = ['reconciler', *{command!r}]; "
        "from reconciler.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


def test_an_error_that_nobody_reads_is_still_an_error() -> None:
    script = f'"{sys.executable}" -m reconciler get pods --state /nowhere 2> >(exec <&-; sleep 2); exit $?'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(("option", "code"), [((), 2), (("--detailed-exitcode",), 1)])
def test_a_diff_that_no_host_answered_is_an_error(tmp_path: Path, option: tuple[str, ...], code: int) -> None:
    """Neither "nothing to do" nor "changes": what runs is unknown."""
    (tmp_path / "all.yaml").write_text(LONELY)
    done = reconciler("diff", str(tmp_path), "--state", str(tmp_path / "state"), *option)
    assert done.returncode == code
    assert "no host answers" in done.stderr
    assert "127.0.0.1:1 does not answer" in done.stdout


@pytest.mark.parametrize("command", ["diff", "apply"])
def test_the_problems_of_a_rejected_revision_are_json_where_that_is_asked_for(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "bad.yaml").write_text("apiVersion: v1\nkind: Frob\n")
    source = (str(tmp_path), "--state", str(tmp_path / "state"))
    done = reconciler(command, *source, "-o", "json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["kind"], report["accepted"]) == (2, "ProblemReport", False)
    assert {problem["path"] for problem in report["problems"]} == {"bad.yaml"}
    assert done.stderr.splitlines()[-1].startswith("Error: revision ")
    done = reconciler(command, *source)
    assert (done.returncode, done.stdout) == (2, "")
    assert "bad.yaml:2" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("diff",),
        ("diff", "--no-such-option"),
        ("diff", "/nowhere", "--ssh-key", "/nowhere"),
        ("diff", "/nowhere", "--base", "main"),
    ],
)
def test_no_error_of_a_diff_is_taken_for_changes(words: tuple[str, ...]) -> None:
    """1 says "changes", and 2 with --detailed-exitcode."""
    assert reconciler(*words).returncode == 2
    assert reconciler(*words, "--detailed-exitcode").returncode == 1


@pytest.mark.parametrize(
    ("words", "environment", "code"),
    [
        (["diff", "--base", "main", "base"], {}, 2),
        (["diff", "base", "--detailed-exitcode"], {}, 1),
        (["diff", "base"], {"RECONCILER_DIFF_DETAILED_EXITCODE": "1"}, 1),
        (["diff", "base"], {"RECONCILER_DIFF_DETAILED_EXITCODE": "false"}, 2),
        (["diff", "base"], {"RECONCILER_DIFF_DETAILED_EXITCODE": ""}, 2),
        (["diff", "base"], {"RECONCILER_DIFF_DETAILED_EXITCODE": "perhaps"}, 2),
        (["diff", "--", "--detailed-exitcode"], {}, 2),
        (["exec", "web-0", "--", "terraform", "plan", "--detailed-exitcode"], {}, 2),
        (["apply", "base"], {"RECONCILER_DIFF_DETAILED_EXITCODE": "1"}, 2),
        ([], {}, 2),
    ],
)
def test_the_code_of_an_error(words: list[str], environment: dict[str, str], code: int) -> None:
    assert error_code(words, environment) == code


@pytest.mark.parametrize(("option", "code"), [([], 2), (["--detailed-exitcode"], 1)])
@pytest.mark.parametrize(
    "end", [click.Abort, KeyboardInterrupt, EOFError, MemoryError, click.ClickException("no")]
)
def test_a_diff_that_does_not_come_to_its_end_is_an_error(
    end: BaseException, option: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: object, **__: object) -> None:
        raise end

    monkeypatch.setattr(sys, "argv", ["reconciler", "diff", "base", *option])
    monkeypatch.setattr("reconciler.cli.diff.read_once", ends)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code


@pytest.mark.parametrize(("option", "code"), [("", 2), ("--detailed-exitcode", 1)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_diff_that_nobody_reads_is_an_error(tmp_path: Path, form: str, option: str, code: int) -> None:
    (tmp_path / "all.yaml").write_text(LONELY)
    call = f'"{sys.executable}" -m reconciler diff "{tmp_path}" --state "{tmp_path}/state" -o {form} {option}'
    script = f"{call} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (code, "")


def test_help_that_nobody_reads_is_no_answer() -> None:
    script = f'"{sys.executable}" -m reconciler --help | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, "")


def test_a_second_reconciler_is_told_who_holds_the_state(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    try:
        done = reconciler("apply", str(tmp_path), "--state", str(tmp_path))
    finally:
        store.close()
    assert done.returncode == 2
    assert "another reconciler is using this state: pid " in done.stderr
    assert "StoreLocked" not in done.stderr


def test_a_port_for_metrics_that_is_taken_ends_it_before_any_host_is_touched(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        source = (str(tmp_path / "manifests"), "--state", str(tmp_path / "state"))
        done = reconciler("run", *source, "--metrics", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: metrics cannot be served at 127.0.0.1 port {port}: Address already in use; "
        "give `--metrics` another one\n"
    )


def test_a_reader_that_goes_away_is_no_answer(tmp_path: Path) -> None:
    """1 is a command's own "no", such as the changes of `diff`; and nothing is printed about a closed pipe."""
    SqliteStore(tmp_path).close()
    script = f'"{sys.executable}" -m reconciler get pods -A --state "{tmp_path}" | sh -c "exec <&-; sleep 2"'
    done = subprocess.run(
        ["bash", "-c", f"{script}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (2, "")
