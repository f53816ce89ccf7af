"""When files follow what changed in the running HAProxy, and when servers on their way out are deleted."""

from reconciler.model.proxy import NodeProxy
from reconciler.nodes.proxy.follow_ups import NEVER, FollowUps


def wanted(fingerprint: str) -> NodeProxy:
    return NodeProxy("lab/proxy:1", "", (), "one", fingerprint)


def test_files_are_written_when_it_is_quiet_and_at_the_latest_after_ten_seconds() -> None:
    left, now, first = FollowUps(), 100.0, 100.0
    while now < first + 9.5:
        left = left.with_file(wanted(str(now)), now)
        assert left.due == min(now + 1.0, first + 10.0)
        now += 0.5
    assert left.due == first + 10.0
    assert left.unwritten == wanted("109.0")
    assert left.without_file().due == NEVER
    assert left.without_file().with_file(wanted("later"), 200.0).due == 201.0


def test_deletions_are_tried_ever_later_and_six_times() -> None:
    left, now, tries = FollowUps().with_deletions(0.0), 0.0, []
    while left.due < NEVER:
        tries.append(round(left.due - now, 3))
        now = left.due
        left = left.with_later_deletions(now)
    assert tries == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64]
    assert left.with_deletions(now).due == now + 0.02


def test_what_is_due_first_is_due() -> None:
    left = FollowUps().with_file(wanted("one"), 10.0).with_deletions(10.0)
    assert left.due == 10.02
    assert left.without_deletions().due == 11.0
