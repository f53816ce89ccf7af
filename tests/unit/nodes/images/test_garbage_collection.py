"""Which images a full disk is freed of: ours, old, and of no use to anybody, nor to a pod that still waits."""

from typing import Any, cast

import structlog

from reconciler.model.api.cluster import ImageGc
from reconciler.nodes.docker.replies import DiskUse
from reconciler.nodes.images.garbage_collection import ImageCollector

FULL = DiskUse(total_bytes=100, free_bytes=5)


class Host:
    """Its images in the order in which they were pulled; `ran`: those with a container."""

    def __init__(self, images: list[str], ran: frozenset[str] = frozenset()) -> None:
        self.images = images
        self._ran = ran
        self.young: set[str] = set()

    # As the engine

    def image_id(self, image: str) -> str:
        return image

    def containers(self, all: bool) -> list[dict[str, str]]:
        return [{"ImageID": image} for image in self._ran]

    def remove_image(self, image: str) -> None:
        self.images.remove(image)

    # As the list of the images that were pulled

    def oldest_first(self) -> list[str]:
        return list(self.images)

    def seconds_since(self, image: str) -> float:
        return 1.0 if image in self.young else 1e6

    def forget(self, image: str) -> None:
        pass


def collector(host: Host, awaited: frozenset[str] = frozenset(), disk: DiskUse = FULL) -> ImageCollector:
    engine = pulled = cast(Any, host)
    found = ImageCollector(engine, pulled, lambda: awaited, lambda: disk, structlog.get_logger())
    found.want(ImageGc(high_threshold_percent=85, low_threshold_percent=80))
    return found


def test_an_image_goes_unless_it_runs_is_new_or_is_waited_for() -> None:
    host = Host(["old", "running", "waited-for", "new"], frozenset({"running"}))
    host.young = {"new"}
    collector(host, frozenset({"waited-for"})).collect()
    assert host.images == ["running", "waited-for", "new"]


def test_a_disk_that_is_free_enough_keeps_them_all() -> None:
    host = Host(["old"])
    collector(host, disk=DiskUse(100, 20)).collect()
    assert host.images == ["old"]
