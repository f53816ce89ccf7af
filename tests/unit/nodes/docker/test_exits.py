"""How the end of a run is told: from what is seen, from its event, with the last lines of its log."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from reconciler.model.observed import Ended, ObservedContainer
from reconciler.nodes.access.log_lines import LogLine
from reconciler.nodes.docker.exits import end_of, log_of, within
from reconciler.nodes.docker.moments import nanoseconds, sortable_moment
from reconciler.nodes.docker.notes import Note
from reconciler.nodes.docker.plain_text import plain
from reconciler.nodes.docker.watch import IMAGES_CHANGED, note_of, noted

EXITED = ObservedContainer("c1", "web", "web:1", "exited", "demo", exit_code=3, started_at="t1", finished_at="t2")
RUNNING = msgspec.structs.replace(EXITED, state="running", exit_code=0, started_at="t3")


def test_what_has_ended_tells_it_itself_and_only_once() -> None:
    end = Ended(3, at="t2")
    assert end_of(EXITED, None, None) == end
    assert end_of(EXITED, None, msgspec.structs.replace(end, log="lines")) is None
    assert end_of(EXITED, None, Ended(3, at="t0")) == end


def test_what_runs_again_is_told_by_its_event() -> None:
    assert end_of(RUNNING, Note("c1", 137, oom=True), None) == Ended(137, True, "t2")
    assert end_of(RUNNING, Note("c1"), None) is None
    assert end_of(RUNNING, None, None) is None
    assert end_of(msgspec.structs.replace(RUNNING, state="created", finished_at=""), None, None) is None


def events(*actions: str) -> Iterator[dict[str, Any]]:
    for action in actions:
        code = {"exitCode": "137"} if action == "die" else {}
        yield {"Type": "container", "Action": action, "Actor": {"ID": "c1", "Attributes": code}}


def test_events_about_one_container_are_one_note() -> None:
    first, second, third = noted(events("oom", "die", "start"))
    assert third.after(second.after(first)) == Note("c1", 137, oom=True)
    assert note_of({"Type": "image", "Action": "pull", "Actor": {"ID": "x"}}) == Note(IMAGES_CHANGED)


def test_the_end_of_a_run_says_that_it_met_its_limit_however_its_events_are_taken() -> None:
    notes = list(noted(events("start", "oom", "die", "start", "die")))
    assert [note for note in notes if note.exit_code is not None] == [Note("c1", 137, oom=True), Note("c1", 137)]


def test_a_log_is_cut_to_one_run() -> None:
    lines = [LogLine(1, f"2026-01-01T00:00:0{second}.000000000Z", b"line %d\n" % second) for second in range(6)]
    run = within(lines, nanoseconds("2026-01-01T00:00:01Z"), nanoseconds("2026-01-01T00:00:04.5Z"))
    assert run == b"line 2\nline 3\nline 4\n"
    assert within(lines, 0, 0).count(b"\n") == 6
    assert within([LogLine(1, "", b"no moment at all\n")], 0, 0) == b""


class LoggingEngine:
    """Each line bears the time at which Docker read it."""

    def __init__(self, *lines: str) -> None:
        output = [b"2026-01-01T00:00:%s\n" % line.encode() for line in lines]
        self._frames = b"".join(b"\x01\0\0\0" + len(line).to_bytes(4, "big") + line for line in output)

    def log_tail(self, *_: object) -> bytes:
        return self._frames


def test_what_a_program_wrote_before_docker_wrote_its_start_down_is_of_its_run() -> None:
    engine: Any = LoggingEngine("01.0Z first run", "05.0Z second run", "05.4Z last words", "06.2Z third run")
    ended, again = "2026-01-01T00:00:05.3Z", "2026-01-01T00:00:06.3Z"
    log = log_of(engine, {"Id": "c1", "Config": {}}, "2026-01-01T00:00:01.1Z", ended, again)
    assert log == "second run\nlast words"


def test_moments_sort_by_time() -> None:
    assert sortable_moment("2026-01-01T00:00:00Z") < sortable_moment("2026-01-01T00:00:00.01Z")
    assert sortable_moment("2026-01-01T00:00:00.1Z") > sortable_moment("2026-01-01T00:00:00.09Z")


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (b"a\r\nb\n\n", "a\nb"),
        (b"\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("tab\tgr\u00fc\u00df \u202e".encode(), "tab\tgr\u00fc\u00df \\u202e"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 30, "\u2026" + "x" * 19),
    ],
)
def test_output_is_shown_bounded_and_harmless(output: bytes, shown: str) -> None:
    assert plain(output, 20) == shown


def test_only_the_last_lines_are_shown() -> None:
    assert plain(b"1\n2\n3\n", 20, 2) == "2\n3"
