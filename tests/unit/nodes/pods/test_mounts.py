"""What of a container's mounts is pinned, by which steps, and what Docker is given in its place."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from reconciler.model.container_config import ClaimMount, ContainerConfig, HostMount, Mount, PodAddress
from reconciler.model.names import LABEL_CONTAINER, LABEL_MOUNTS, LABEL_UID
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.pods.failures import Failed
from reconciler.nodes.pods.mounts import MOUNTS_VERSION, Mounts
from reconciler.nodes.pods.volumes import PodFiles
from reconciler.nodes.ssh.shell import Shell

LABELS = {LABEL_UID: "u1", LABEL_CONTAINER: "app"}
PINS = "/run/reconciler/demo/pins/u1/app"
DISK = "/var/lib/reconciler/demo/pods/u1/data"


class FakeShell:
    """Every directory is there, every pin can be made, unless `said` says otherwise; the records are kept."""

    def __init__(self) -> None:
        self.records: list[str] = []
        self.asked = 0
        self.said: str | None = None

    def script(
        self, doing: str, script: str, words: Sequence[str], stdin: bytes | None = None, timeout: float = 5.0
    ) -> str:
        if "pins" not in script or words[2] not in ("new", "some"):
            return "directory\n"
        self.asked += 1
        _, _, what, uid, container, *rest = words
        if what == "new":
            self.records += rest
        numbers = range(len(rest)) if what == "new" else rest
        return self.said or "".join(f"pinned\t{uid}/{container}/{number}\n" for number in numbers)


class Volumes:
    def create_volume(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        return {"Mountpoint": f"/volumes/{name}/_data"}


def on(shell: FakeShell) -> Mounts:
    asked = cast("Shell", shell)
    return Mounts(cast("Any", Volumes()), asked, PodFiles("demo", asked, HostCache(lambda: None)))


def prepared(*mounts: Mount, shell: FakeShell | None = None) -> ContainerConfig:
    config = ContainerConfig("web_app", "app:1", LABELS, PodAddress("10.0.0.2"), mounts=mounts)
    return on(shell or FakeShell()).prepare(config)


@pytest.mark.parametrize(
    ("mount", "record"),
    [
        (HostMount(DISK, "/x", sub_path="a/b"), f"find {DISK}\nsub a/b\nend\n"),
        (ClaimMount("c", "/x", {}, sub_path="a"), "find /volumes/c/_data\nsub a\nend\n"),
        (HostMount("/srv/a/b", "/x", beneath=("/srv",)), "make /srv\nmake a/b\nend\n"),
        (HostMount("/srv/a/b", "/x", beneath=("/srv/", "/srv/a")), "make /srv\nmake a\nmake b\nend\n"),
        (HostMount("/srv/a", "/x", beneath=("/srv",), makes=False), "find /srv\nfind a\nend\n"),
        (
            HostMount("/srv/a", "/x", kind="Directory", beneath=("/srv",), makes=False, sub_path="s"),
            "find /srv\nfind a\nkind directory\nsub-found s\nend\n",
        ),
        (
            HostMount("/srv/a/f", "/x", kind="FileOrCreate", beneath=("/srv",)),
            "find /srv\nfile a/f\nkind regular file\nend\n",
        ),
        (HostMount("/a", "/x", beneath=("/",), makes=False), "find /\nfind a\nend\n"),
        (HostMount("/srv", "/x", sub_path="a"), "make /srv\nsub a\nend\n"),
    ],
)
def test_what_a_pod_may_have_changed_is_pinned_step_by_step(mount: Mount, record: str) -> None:
    shell = FakeShell()
    config = prepared(HostMount(DISK, "/whole"), mount, shell=shell)
    assert shell.records == [record]
    assert config.mounts == (HostMount(DISK, "/whole"), HostMount(f"{PINS}/0", "/x"))
    assert config.labels[LABEL_MOUNTS] == MOUNTS_VERSION


@pytest.mark.parametrize(
    "mount",
    [HostMount("/dev/kvm", "/x"), HostMount("/srv", "/x", beneath=("/srv/",)), ClaimMount("c", "/x", {})],
)
def test_what_no_pod_can_change_is_left_to_docker(mount: Mount) -> None:
    shell = FakeShell()
    assert prepared(mount, shell=shell).mounts == (mount,)
    assert not shell.asked


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (HostMount("/srv/a", "/x", beneath=()), "no exception"),
        (HostMount(DISK, "/x", sub_path="a/../../b"), "leads out"),
        (ClaimMount("c", "/x", {}, sub_path=".."), "leads out"),
        (HostMount(DISK, "/x", sub_path="a\nend"), "line break"),
    ],
)
def test_what_can_be_refused_without_a_look_is(mount: Mount, words: str) -> None:
    with pytest.raises(Failed, match=words):
        prepared(mount)


@pytest.mark.parametrize(
    ("labels", "sources", "current"),
    [
        ({}, (DISK,), True),
        ({}, (f"{DISK}/sub",), False),
        ({}, ("/volumes/c/_data/a",), False),
        ({}, ("/srv/lent/a",), False),
        ({LABEL_MOUNTS: MOUNTS_VERSION}, ("/srv", f"{PINS}/0"), True),
        ({}, (f"{PINS}/0",), False),
    ],
)
def test_a_container_of_an_earlier_version_is_told_by_its_label(
    labels: dict[str, str], sources: tuple[str, ...], current: bool
) -> None:
    assert on(FakeShell()).is_current(labels, sources) is current


def test_pins_are_looked_at_before_every_start_but_the_first() -> None:
    shell = FakeShell()
    mounts = on(shell)
    part = HostMount(DISK, "/x", sub_path="a")
    made = mounts.prepare(ContainerConfig("web_app", "app:1", LABELS, PodAddress("10.0.0.2"), mounts=(part,)))
    assert mounts.is_current(made.labels, (f"{PINS}/0",))
    assert shell.asked == 1
    shell.said = "failed\tu1/app/0\trecord\n"
    assert not mounts.is_current(made.labels, (f"{PINS}/0",)), "nothing is known of how to make it"
    shell.said = f"failed\tu1/app/0\toutside\tsub\ta\t{DISK}\t/\n"
    with pytest.raises(Failed, match="leads out"):
        mounts.is_current(made.labels, (f"{PINS}/0",))
