"""Two samples make a usage; /proc makes a host's."""

import pytest

from reconciler.nodes.access.usage import Sample, Usage, read_busy, read_sample, read_used_memory, usage_between

MEBI = 1 << 20


@pytest.mark.parametrize("name", ["total_inactive_file", "inactive_file"])
def test_memory_is_the_working_set_under_either_cgroup_version(name: str) -> None:
    stats = {
        "cpu_stats": {"cpu_usage": {"total_usage": 5}},
        "memory_stats": {"usage": 10 * MEBI, "stats": {name: 4 * MEBI}},
    }
    assert read_sample(stats, 1.0) == Sample(5, 6 * MEBI, 1.0)


def test_a_container_that_has_ended_has_no_sample() -> None:
    assert read_sample({"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}, 1.0) is None


@pytest.mark.parametrize(("spent", "milli"), [(0, 0), (1, 1), (500_000_000, 250), (4_000_000_000, 2000)])
def test_cpu_is_what_was_spent_in_the_time_that_passed(spent: int, milli: int) -> None:
    assert usage_between(Sample(7, 1, 10.0), Sample(7 + spent, 2, 12.0)) == Usage(milli, 2)


def test_a_container_that_was_restarted_between_has_no_negative_usage() -> None:
    assert usage_between(Sample(1000, 1, 10.0), Sample(5, 2, 11.0)) == Usage(0, 2)


def test_a_hosts_cpu_and_memory() -> None:
    stat = "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 50 0 25 400 25 0 0 0 0 0\ncpu1 50 0 25 400 25 0 0 0 0 0\nintr 1\n"
    busy = read_busy(stat)
    assert (busy.busy, busy.total, busy.cpus) == (150, 1000, 2)
    assert read_used_memory("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n") == 600 * 1024
