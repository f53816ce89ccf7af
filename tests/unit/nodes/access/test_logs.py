"""Where one run of a container ends in its log, and the next begins."""

import pytest
from msgspec.structs import replace

from reconciler.nodes.access.host import FoundContainer, read_found
from reconciler.nodes.access.logs import LogRequest, log_parameters, start_of_run

FIRST = FoundContainer("id", "web", False, True, "2026-11-23T12:00:10.5Z", "", 0)
AGAIN = replace(FIRST, finished_at="2026-11-23T12:00:08.5Z", restarts=1)
SECOND = 1_000_000_000
TEN_PAST_NOON = 1795435210 * SECOND


def test_a_first_run_has_nothing_before() -> None:
    assert start_of_run(FIRST) == 0
    assert "since" not in log_parameters(LogRequest(), start_of_run(FIRST))


def test_a_run_begins_half_way_after_the_end_of_the_one_before() -> None:
    start = start_of_run(AGAIN)
    assert start == TEN_PAST_NOON - SECOND // 2
    assert log_parameters(LogRequest(), start)["since"] == "1795435209.500000000"
    assert "until" not in log_parameters(LogRequest(), start)


def test_previous_is_everything_before() -> None:
    parameters = log_parameters(LogRequest(previous=True, tail=5), start_of_run(AGAIN))
    assert parameters["until"] == "1795435209.500000000"
    assert "since" not in parameters
    assert (parameters["tail"], parameters["timestamps"], parameters["follow"]) == ("5", "1", "0")


def test_a_container_that_has_ended_does_not_tell_when_the_run_before_did() -> None:
    ended = replace(FIRST, running=False, finished_at="2026-11-23T12:00:12Z", restarts=1)
    assert start_of_run(ended, "2026-11-23T12:00:06.5Z") == TEN_PAST_NOON + SECOND // 2 - 2 * SECOND
    assert TEN_PAST_NOON < start_of_run(ended) < TEN_PAST_NOON + SECOND // 2
    assert start_of_run(ended, ended.finished_at) == start_of_run(ended), "the known end may be of this run"


def test_what_docker_says_to_have_ended_before_it_started_has_run_once() -> None:
    """Docker writes the start down late, when the program has ended already."""
    short = replace(FIRST, running=False, finished_at="2026-11-23T12:00:10.4997Z")
    assert start_of_run(short) == 0
    assert start_of_run(short, short.finished_at) == 0
    once_more = start_of_run(replace(short, restarts=1))
    assert once_more == start_of_run(short, restarts=1)
    assert once_more < TEN_PAST_NOON + SECOND // 2 - SECOND // 1000, "its lines are older than its end"
    assert start_of_run(short, "2026-11-23T12:00:08.4997Z") == TEN_PAST_NOON - SECOND // 2 - 300_000


def test_since_never_reaches_back_before_the_run() -> None:
    late, early, start = TEN_PAST_NOON + SECOND, TEN_PAST_NOON - 60 * SECOND, start_of_run(AGAIN)
    assert log_parameters(LogRequest(since=late), start)["since"] == "1795435211.000000000"
    assert log_parameters(LogRequest(since=early), start)["since"] == "1795435209.500000000"
    assert log_parameters(LogRequest(since=early, previous=True), start)["since"] == "1795435150.000000000"


@pytest.mark.parametrize(
    ("state", "running"), [({"Running": True}, True), ({"Running": True, "Restarting": True}, False)]
)
def test_dockers_state(state: dict[str, bool], running: bool) -> None:
    moments = {"StartedAt": "2026-11-23T12:00:10.5Z", "FinishedAt": "0001-01-01T00:00:00Z"}
    config = {"Labels": {"reconciler.dev/container": "web"}, "Tty": False}
    found = read_found({"Id": "id", "State": {**state, **moments}, "Config": config, "RestartCount": 0})
    assert found == replace(FIRST, running=running)
