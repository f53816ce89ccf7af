"""Pulls images: one at a time on a host, each once for all who wait for it, its progress shown.

A pull that has begun is never cancelled: what Docker has fetched by then would be fetched again. What was pulled
is written down on the host (images/record.py), for nothing else may be removed when its disk fills up.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from reconciler.model.secrets import SecretText
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.docker.registry_logins import login_for, registry_of, split_image
from reconciler.nodes.docker.watch import Watcher
from reconciler.nodes.errors import EngineError
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.images.pull_progress import PullProgress, failure
from reconciler.nodes.images.record import PulledImages
from reconciler.nodes.pods.failures import Failed

_SILENCE_SECONDS: Final = 300.0
"""Docker says nothing while it extracts a large layer on a slow disk."""
_RECORD_SECONDS: Final = 1.0


class Puller:
    """Pulls images to a host. `engine` has a channel of its own: a long pull delays no start."""

    def __init__(self, engine: Engine, pulled: PulledImages, cache: HostCache, watcher: Watcher) -> None:
        self._engine = engine
        self._pulled = pulled
        self._cache = cache
        self._watcher = watcher
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._under_way: dict[tuple[str, str], Future[None]] = {}
        self._progress: dict[str, str] = {}

    def pull(self, image: str, logins: Sequence[SecretText] = ()) -> None:
        """Raises Failed with the reason in words. Also called for the images of the node's own containers."""
        account = login_for(image, logins)
        header = account.reveal() if account is not None else self._engine.login_for(registry_of(image))
        # Another account may see another answer: only the same question is asked once.
        key = (image, header)
        with self._lock:
            ours = key not in self._under_way
            shared = self._under_way.setdefault(key, Future())
        if not ours:
            return shared.result()
        try:
            self._pull(image, header)
        except BaseException as error:
            self._end(key)
            shared.set_exception(error)
            raise
        self._end(key)
        shared.set_result(None)
        return None

    def _pull(self, image: str, header: str) -> None:
        if self._one_at_a_time.locked():
            self._record(image, "waits for another image's pull to end")
        with self._one_at_a_time:
            self._record(image, "asking the registry")
            name, tag = split_image(image)
            progress, recorded_at = PullProgress(), time.monotonic()
            try:
                with engine_errors(f"pull {image}"):
                    for line in self._engine.pull_within(name, tag, header, _SILENCE_SECONDS):
                        if said := line.get("error"):
                            raise EngineError(500, str(said))
                        progress.hear(line)
                        if time.monotonic() - recorded_at >= _RECORD_SECONDS:
                            recorded_at = time.monotonic()
                            self._record(image, progress.words())
            except EngineError as error:
                raise Failed(*failure(image, error.message)) from error
            self._pulled.add(image)
        self._watcher.look_at_images()

    def _record(self, image: str, words: str) -> None:
        with self._lock:
            self._progress[image] = words
            self._cache.record_pulls(self._progress)

    def _end(self, key: tuple[str, str]) -> None:
        with self._lock:
            del self._under_way[key]
            self._progress.pop(key[0], None)
            self._cache.record_pulls(self._progress)
