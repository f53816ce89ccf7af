"""What the answers of probes add up to: upstream's rules, one sentence each."""

import pytest

from reconciler.prober.schedule import Health, RestartBackoff, first_wait, next_due
from reconciler.prober.specs import Handler, ProbeSettings


def probe(kind: str, **fields: int) -> ProbeSettings:
    defaults = {"initial_delay": 0, "period": 10, "timeout": 1, "successes": 1, "failures": 3, "grace": 30}
    return ProbeSettings(kind, Handler("tcp"), **{**defaults, **fields})


STARTUP, LIVENESS, READINESS = (probe(kind) for kind in ("startup", "liveness", "readiness"))


def test_a_container_is_not_ready_until_its_probe_says_so() -> None:
    health = Health([READINESS])
    assert (health.started, health.ready, health.decided) == (True, False, False)
    health.take(READINESS, True, "")
    assert (health.ready, health.decided, health.message) == (True, True, "")


def test_without_a_readiness_probe_it_is_ready_when_it_has_started() -> None:
    assert Health([LIVENESS]).ready
    health = Health([STARTUP])
    assert not health.ready
    health.take(STARTUP, True, "")
    assert (health.started, health.ready, health.decided) == (True, True, True)


def test_only_so_many_failures_in_a_row_make_it_unready() -> None:
    health = Health([READINESS])
    health.take(READINESS, True, "")
    for passed in (False, False, True, False, False):
        health.take(READINESS, passed, "no")
        assert health.ready
    assert not health.take(READINESS, False, "no"), "readiness restarts nothing"
    assert not health.ready


def test_only_so_many_successes_in_a_row_make_it_ready() -> None:
    twice = probe("readiness", successes=2)
    health = Health([twice])
    for passed in (True, False, True):
        health.take(twice, passed, "no")
        assert not health.ready
    health.take(twice, True, "")
    assert health.ready


def test_liveness_restarts_at_its_threshold_and_again_while_it_goes_on_failing() -> None:
    health = Health([LIVENESS])
    assert [health.take(LIVENESS, False, "dead") for _ in range(4)] == [False, False, True, True]
    assert health.message == "Liveness probe failed: dead"


def test_the_startup_probe_keeps_the_others_waiting_and_is_then_done() -> None:
    health = Health([STARTUP, LIVENESS, READINESS])
    assert [health.due(kind) for kind in ("startup", "liveness", "readiness")] == [True, False, False]
    health.take(STARTUP, True, "")
    assert [health.due(kind) for kind in ("startup", "liveness", "readiness")] == [False, True, True]
    assert not health.ready


def test_a_startup_probe_that_fails_too_often_restarts_the_container() -> None:
    health = Health([STARTUP])
    assert [health.take(STARTUP, False, "no") for _ in range(3)] == [False, False, True]


def test_the_message_is_the_first_of_a_streak_then_the_one_that_counted_and_goes_with_success() -> None:
    health = Health([LIVENESS])
    for output, shown in (("a", "a"), ("b", "a"), ("c", "c")):
        health.take(LIVENESS, False, output)
        assert health.message == f"Liveness probe failed: {shown}"
    health.take(LIVENESS, True, "")
    assert health.message == ""


def test_why_the_last_run_was_ended_is_shown_until_that_probe_succeeds() -> None:
    health = Health([LIVENESS, READINESS])
    health.inherit("liveness", "Liveness probe failed: dead")
    health.take(READINESS, True, "")
    assert health.message == "Liveness probe failed: dead"
    health.take(LIVENESS, True, "")
    assert health.message == ""


def test_probes_that_stay_the_same_keep_what_they_know() -> None:
    before = Health([LIVENESS, READINESS])
    before.take(READINESS, True, "")
    before.take(LIVENESS, False, "dead")
    after = Health([READINESS])
    after.keep(before, ["readiness"])
    assert (after.ready, after.decided, after.message) == (True, True, "")
    other = Health([READINESS, LIVENESS])
    other.keep(before, ["liveness"])
    assert not other.ready
    assert [other.take(LIVENESS, False, "dead") for _ in range(2)] == [False, True]


def test_the_next_start_waits_longer_each_time_until_it_has_run_well() -> None:
    backoff = RestartBackoff()
    assert [backoff.ended(age=30) for _ in range(9)] == [0, 10, 20, 40, 80, 160, 300, 300, 300]
    assert [backoff.ended(age=600), backoff.ended(age=30)] == [0, 10]


def test_what_is_found_dead_serves_nobody_until_it_is_ended() -> None:
    health = Health([LIVENESS, READINESS])
    health.take(READINESS, True, "")
    assert [health.take(LIVENESS, False, "") for _ in range(3)] == [False, False, True]
    health.take(READINESS, True, "")
    assert not health.ready
    health.take(LIVENESS, True, "")
    assert health.ready, "where it could not be ended"


@pytest.mark.parametrize(
    ("age", "jitter", "fresh", "seconds"),
    [(0, 0, True, 5), (2, 0, True, 3), (60, 0, True, 0), (60, 1, True, 0.2), (60, 0.5, False, 5)],
)
def test_the_first_check_counts_from_the_containers_start(
    age: float, jitter: float, fresh: bool, seconds: float
) -> None:
    assert first_wait(probe("liveness", initial_delay=5), age, jitter, fresh) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("due", "passed", "now", "again"),
    [
        (100.3, False, 100.4, 110.3),  # What fails keeps its own time.
        (100.3, True, 100.4, 111.0),
        (111.0, True, 111.2, 121.0),  # From then on exactly every period.
        (100.3, False, 112.5, 112.5),  # It took longer than the period.
        (100.0, True, 112.5, 113.0),
    ],
)
def test_what_passes_is_asked_at_whole_seconds(due: float, passed: bool, now: float, again: float) -> None:
    assert next_due(due, 10, passed, now) == pytest.approx(again)
