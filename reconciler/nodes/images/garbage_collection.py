"""Frees a host's disk: images that reconciler pulled itself and that no container uses, oldest first.

Rules: https://kubernetes.io/docs/concepts/architecture/garbage-collection/#container-image-garbage-collection
"""

import threading
from collections.abc import Callable, Collection
from typing import Final

from structlog.typing import FilteringBoundLogger as BoundLogger

from reconciler.model.api.cluster import ImageGc
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.docker.replies import DiskUse
from reconciler.nodes.errors import EngineError, NodeError
from reconciler.nodes.images.record import PulledImages

_YOUNG_SECONDS: Final = 120.0
"""An image pulled a moment ago is about to be used."""


class ImageCollector:
    """Removes unused images of a host. `look` is called with each full listing; the work is done in a thread
    of its own."""

    def __init__(
        self,
        engine: Engine,
        pulled: PulledImages,
        awaited: Callable[[], Collection[str]],
        disk: Callable[[], DiskUse],
        log: BoundLogger,
    ) -> None:
        self._engine = engine
        self._pulled = pulled
        self._awaited = awaited
        self._disk = disk
        self._log = log
        self._limits = ImageGc()
        self._full = threading.Event()
        self._stopped = False

    def want(self, limits: ImageGc) -> None:
        self._limits = limits

    def look(self, disk: DiskUse) -> None:
        if used_percent(disk) >= self._limits.high_threshold_percent:
            self._full.set()

    def stop(self) -> None:
        self._stopped = True
        self._full.set()

    def work(self) -> None:
        """Until `stop`; to be run in a thread of its own."""
        while self._full.wait() and not self._stopped:
            self._full.clear()  # First: a word that comes meanwhile counts for the next round.
            try:
                self.collect()
            except NodeError as error:
                self._log.warning("cannot free the disk of images", reason=str(error))

    def collect(self) -> None:
        """Raises NodeError."""
        limits = self._limits
        for image in self._pulled.oldest_first():
            percent = used_percent(self._disk())
            if percent <= limits.low_threshold_percent:
                return
            if self._remove(image):
                self._log.info("image removed, to free the disk", image=image, used_percent=percent)

    def _remove(self, image: str) -> bool:
        if self._pulled.seconds_since(image) < _YOUNG_SECONDS or image in self._awaited():
            return False
        try:
            with engine_errors(f"inspect {image}"):
                image_id = self._engine.image_id(image)
                if image_id in self._used():
                    return False
                self._engine.remove_image(image)
        except EngineError as error:
            if error.status == 409:
                # A container was made from it a moment ago.
                return False
            if error.status != 404:
                raise
            self._pulled.forget(image)
            return False
        self._pulled.forget(image)
        return True

    def _used(self) -> frozenset[str]:
        return frozenset(str(container["ImageID"]) for container in self._engine.containers(all=True))


def used_percent(disk: DiskUse) -> int:
    return 100 - 100 * disk.free_bytes // disk.total_bytes if disk.total_bytes else 0
