"""Which labels of a container were given to it: the others are its image's, and say nothing of who made it.

An image may carry any label; one that somebody committed from a pod's container carries all of ours. For
docker/watch.py and reset.py.
"""

from collections.abc import Mapping
from typing import Any

from reconciler.model.names import (
    LABEL_CLUSTER,
    LABEL_UID,
    SYSTEM_BOOT,
    SYSTEM_DNS,
    SYSTEM_PROBER,
    SYSTEM_PROXY,
    system_name,
)
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.errors import EngineError

_SYSTEM = (SYSTEM_PROXY, SYSTEM_PROBER, SYSTEM_DNS, SYSTEM_BOOT)


class OwnLabels:
    """Tells the labels that we gave a container from those of its image; an image that is gone has none."""

    def __init__(self, cluster: str, engine: Engine) -> None:
        self._cluster = cluster
        self._engine = engine
        self._known: dict[str, Mapping[str, str]] = {}
        """By image: what is in one never changes."""

    def is_ours(self, inspected: Mapping[str, Any]) -> bool:
        """The container belongs to the cluster, and was made by us. Raises NodeError where Docker cannot say."""
        labels = inspected["Config"].get("Labels") or {}
        if labels.get(LABEL_CLUSTER) != self._cluster:
            return False
        image = inspected.get("Image") or ""
        return is_own(labels, self._image_labels(image), inspected["Name"].removeprefix("/"))

    def _image_labels(self, image: str) -> Mapping[str, str]:
        if image and image not in self._known:
            try:
                with engine_errors(f"inspect the image {image}"):
                    self._known[image] = self._engine.image_labels(image)
            except EngineError as error:
                if error.status != 404:
                    raise
                return {}
        return self._known.get(image, {})


def is_own(labels: Mapping[str, str], images: Mapping[str, str], name: str) -> bool:
    """Whether a container with the labels of a cluster was made by it. Each pod's uid is another one, and no image
    can have it before the pod. What belongs to no pod has the name that we gave it."""
    if uid := labels.get(LABEL_UID):
        return images.get(LABEL_UID) != uid
    cluster = labels.get(LABEL_CLUSTER, "")
    return images.get(LABEL_CLUSTER) != cluster or name in (system_name(cluster, part) for part in _SYSTEM)
