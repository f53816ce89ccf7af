"""Lines out of Docker's pieces, as its drivers keep them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.nodes.access.log_lines import LogLine, joined, last_lines, log_lines
from reconciler.nodes.docker.streams import STDERR, STDOUT, OutputChunk

FULL = 16384


def moment(number: int) -> str:
    return f"2026-01-01T00:00:{number // 1000:02}.{number % 1000:03}000000Z"


def kept(number: int, text: bytes, stream: int = STDOUT) -> OutputChunk:
    return OutputChunk(stream, f"{moment(number)} ".encode() + text)


LONG = [kept(1, b"x" * FULL), kept(1, b"x" * FULL), kept(2, b"between\n", STDERR), kept(1, b"x" * 7232 + b"\n")]


def test_pieces_of_one_line_are_one_whatever_comes_between() -> None:
    assert list(joined(LONG)) == [
        LogLine(STDERR, moment(2), b"between\n"),
        LogLine(STDOUT, moment(1), b"x" * 40000 + b"\n"),
    ]


@pytest.mark.parametrize("last", [b"", b"x"])
def test_a_driver_that_leaves_out_the_end_of_a_long_line(last: bytes) -> None:
    lines = joined([kept(1, b"x" * FULL), kept(1, last), kept(2, b"next\n")])
    assert [line.text for line in lines] == [b"x" * FULL + last + b"\n", b"next\n"]


def test_a_line_that_its_program_never_ended_stays_so() -> None:
    assert [line.text for line in joined([kept(1, b"end"), kept(2, b"next run\n")])] == [b"end", b"next run\n"]


def test_a_line_without_end_is_handed_out_in_parts() -> None:
    lines = list(joined(kept(1, b"x" * FULL) for _ in range(100)))
    assert b"".join(line.text for line in lines) == b"x" * FULL * 100
    assert [line.begins for line in lines] == [True, False]


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_a_terminals_output_is_cut_where_docker_cuts_it(size: int, end: bytes) -> None:
    """`end`: of a long line, by either driver."""
    texts = [b"one\r\n", b"y" * FULL, b"y" * 10 + end, b"two\r\n", b"z" * FULL, end, b"three"]
    data = b"".join(kept(number, text).data for number, text in enumerate(texts))
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    shown = [line.text.replace(b"\r\n", b"\n").replace(b"\r", b"") for line in log_lines(chunks, tty=True)]
    assert shown == [b"one\n", b"y" * (FULL + 10) + b"\n", b"two\n", b"z" * FULL + b"\n", b"three"]


def test_a_zone_is_part_of_a_moment() -> None:
    (line,) = joined([OutputChunk(STDOUT, b"2026-01-01T01:00:00.000000001+01:00 a b\n")])
    assert (line.moment, line.text) == ("2026-01-01T01:00:00.000000001+01:00", b"a b\n")


def test_the_last_lines_are_lines() -> None:
    assert last_lines(LONG, 1, is_all=True) == [LogLine(STDOUT, moment(1), b"x" * 40000 + b"\n")]
    assert last_lines(LONG[-1:], 1, is_all=False) is None, "it may be the rest of a line, and is"
    assert last_lines([kept(0, b"before\n"), *LONG], 2, is_all=False) == list(joined(LONG))
    assert last_lines([], 3, is_all=True) == []


@given(
    st.lists(st.tuples(st.sampled_from((STDOUT, STDERR)), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(1, 10),
)
def test_however_few_are_looked_at_they_are_the_same(written: list[tuple[int, int]], count: int) -> None:
    log: list[OutputChunk] = []
    for number, (stream, more) in enumerate(written):
        log += [kept(number, b"x" * FULL, stream) for _ in range(more)] + [kept(number, b"end\n", stream)]
    right = last_lines(log, count, is_all=True)
    for looked_at in range(count + 1, len(log)):
        assert last_lines(log[-looked_at:], count, is_all=False) in (None, right)
