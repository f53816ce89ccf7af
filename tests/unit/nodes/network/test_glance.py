"""A glance at a host: when a closer look is worth it."""

from reconciler.nodes.network.glance import Glance
from reconciler.nodes.pods.attached import Attachment, attachments_of

BEFORE = Glance("n1", {"/var/lib/reconciler/shop": "1:2"})


def test_another_network_and_a_directory_that_is_gone_or_another_one_are_differences() -> None:
    assert Glance("n2", BEFORE.directories).differs(BEFORE)
    assert Glance("n1", {}).differs(BEFORE)
    assert Glance("n1", {"/var/lib/reconciler/shop": "1:3"}).differs(BEFORE)


def test_what_is_as_before_or_has_only_been_added_is_none_nor_is_the_first_one() -> None:
    assert not BEFORE.differs(BEFORE)
    assert not Glance("n1", {**BEFORE.directories, "/run/reconciler/shop": "1:9"}).differs(BEFORE)
    assert not BEFORE.differs(Glance())


def test_only_what_a_running_container_mounts_of_the_host_s_directories_counts() -> None:
    mounts = [
        {"Type": "bind", "Source": "/var/lib/a", "Destination": "/a"},
        {"Type": "volume", "Source": "/var/lib/docker/volumes/b", "Destination": "/b"},
    ]
    runs = {"Id": "one", "State": {"Pid": 7}, "Mounts": mounts}
    assert attachments_of(runs) == (Attachment("one", 7, "/a", "/var/lib/a"),)
    assert attachments_of({**runs, "State": {"Pid": 0}}) == ()
