"""The image of a node's own containers: pulled where its engine lacks it, ever later while that fails.

What keeps it from being there is told in the same words until the next try: one message, not one for each look.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from reconciler.nodes.errors import ConnectionLost, EngineError, NodeError, OutcomeUnknown
from reconciler.nodes.images.pull import Puller

_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0
"""Seconds between two tries, as the kubelet's for images."""
_Done = TypeVar("_Done")


class ImageMissing(NodeError):
    """The engine does not have the image, and cannot get it now."""


class _Failed(Struct, frozen=True):
    error: ImageMissing
    pause: float
    again_at: float
    """Monotonic seconds."""


class SystemImages:
    """Pulls the images of a node's own containers. Used by the setup thread alone."""

    def __init__(self, puller: Puller) -> None:
        self._puller = puller
        self._failed: dict[str, _Failed] = {}

    def with_image(self, image: str, ensure: Callable[[], _Done]) -> _Done:
        """Return what `ensure` answers, tried again with the image pulled where the engine lacks it.

        Raises ImageMissing where it cannot be had, also without a try while the last one was not long ago."""
        try:
            done = ensure()
        except EngineError as error:
            if error.status != 404 or "image" not in error.message.lower():
                raise
            self._pull(image)
            done = ensure()
        self._failed.pop(image, None)
        return done

    def _pull(self, image: str) -> None:
        failed, now = self._failed.get(image), time.monotonic()
        if failed is not None and now < failed.again_at:
            raise failed.error
        try:
            self._puller.pull(image)
        except (OutcomeUnknown, ConnectionLost):
            raise
        except NodeError as error:
            pause = min(failed.pause * 2, _LONGEST_PAUSE) if failed else _FIRST_PAUSE
            missing = ImageMissing(
                "without its proxy image no service is reached, no name is answered and no probe is made on this "
                f"node. Docker has no {image}, and {error}. `reconciler image build-proxy SOURCE` makes it and "
                "brings it to the hosts; or name one that can be pulled in spec.images.proxy of the Cluster"
            )
            self._failed[image] = _Failed(missing, pause, time.monotonic() + pause)
            raise missing from error
