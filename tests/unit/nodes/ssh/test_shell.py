"""Commands are quoted in one place, and a reply without its whole frame is never a success."""

import subprocess
from collections.abc import Sequence

import pytest

from reconciler.nodes.errors import OutcomeUnknown
from reconciler.nodes.ssh.shell import CommandResult, Shell, command_line, framed, read_reply


def run_in_sh(script: str, token: str) -> CommandResult:
    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True, timeout=5)
    return read_reply(done.stdout, done.stderr, token)


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "argument",
    ["plain", "", "two words", "$(touch x)", "`id`", "a'b\"c", "-oProxyCommand=x", "new\nline", "ü", "*"],
)
def test_an_argument_reaches_the_program_as_it_is(argument: str) -> None:
    reply = run_in_sh(framed(command_line(["printf", "%s|", argument, "end"], None), "t"), "t")
    assert reply == CommandResult(0, f"{argument}|end|", "")


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "stdin", ["", "one\n", "no newline", ".\n", "EOF\n$(id)\n", "x" * 5000, "long ü\n" * 9000]
)
def test_input_reaches_the_program_as_it_is(stdin: str) -> None:
    assert run_in_sh(framed(command_line(["cat"], stdin), "t"), "t") == CommandResult(0, stdin, "")


def test_without_gzip_a_long_input_begins_nothing() -> None:
    line = command_line(["sh", "-c", "cat; echo begun"], "x" * 50_000)
    reply = run_in_sh(framed(f"gzip() {{ echo 'gzip: not found' >&2; return 127; }}\n{line}", "t"), "t")
    assert (reply.status, reply.out, reply.err) == (127, "", "gzip: not found\n")


def test_the_exit_status_and_both_outputs_are_kept_apart() -> None:
    line = command_line(["sh", "-c", "echo out; echo err >&2; exit 7"], None)
    assert run_in_sh(framed(line, "t"), "t") == CommandResult(7, "out\n", "err\n")


@pytest.mark.fault(46)
@pytest.mark.parametrize(
    ("out", "err"),
    [
        (b"", b""),
        (b"<t>ok", b"<t><t 0>"),
        (b"<t>ok<t 0>", b""),
        (b"Welcome!\n<t>ok<t 0>", b"<t><t 0>"),
        (b"<t>ok<t 0>noise", b"<t><t 0>"),
        (b"<t>ok<t >", b"<t><t 0>"),
        (b"<s>ok<s 0>", b"<s><s 0>"),
    ],
)
def test_a_broken_frame_or_noise_around_it_is_not_a_reply(out: bytes, err: bytes) -> None:
    with pytest.raises(ValueError, match="frame"):
        read_reply(out, err, "t")


class Local(Shell):
    """A shell on this machine."""

    def __init__(self) -> None:
        self._where = "here"

    def run(self, argv: Sequence[str], stdin: str | bytes | None = None, timeout: float = 5.0) -> CommandResult:
        return run_in_sh(framed(command_line(argv, stdin), "t"), "t")


@pytest.mark.parametrize("text", ["", "one\n", "long ü\n" * 90_000])
def test_what_says_much_is_read_as_it_is(text: str) -> None:
    assert Local().read(["cat"], text) == text


@pytest.mark.fault(46)
def test_what_cannot_be_unpacked_is_no_answer() -> None:
    class Cut(Local):
        def run(
            self, argv: Sequence[str], stdin: str | bytes | None = None, timeout: float = 5.0
        ) -> CommandResult:
            reply = super().run(argv, stdin, timeout)
            return CommandResult(0, reply.out[:20], "gzip: cut short")

    with pytest.raises(OutcomeUnknown, match="cut short"):
        Cut().read(["echo", "something that is longer than a few bytes"])
