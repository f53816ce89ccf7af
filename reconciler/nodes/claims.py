"""Removes the Docker volume of a claim: only ours, and only where nothing uses it."""

from collections.abc import Callable
from typing import Any

from reconciler.model.names import LABEL_CLAIM, LABEL_CLUSTER
from reconciler.nodes.engine import Engine, engine_errors
from reconciler.nodes.errors import EngineError, NotOurs


def remove_volume(engine: Engine, cluster: str, volume: str, user_of_part: Callable[[str], str]) -> None:
    """Done where there is none. NotOurs where its labels say so, EngineError where a container uses it.

    `user_of_part`: a container that mounts a part of this directory, or empty."""
    try:
        with engine_errors(f"inspect the volume {volume}"):
            found: dict[str, Any] = engine.inspect_volume(volume)
        labels = found.get("Labels") or {}
        if labels.get(LABEL_CLUSTER) != cluster or LABEL_CLAIM not in labels:
            raise NotOurs(f"a Docker volume {volume} exists, and no label says that it is of a claim: left alone")
        mountpoint = str(found.get("Mountpoint", ""))
        if mountpoint and (user := user_of_part(mountpoint) or _user_by_path(engine, mountpoint)):
            raise EngineError(409, f"the volume {volume} is used by the container {user}")
        with engine_errors(f"remove the volume {volume}"):
            engine.remove_volume(volume)
    except EngineError as error:
        if error.status != 404:
            raise


def _user_by_path(engine: Engine, mountpoint: str) -> str:
    """A container of an earlier version that mounts a subPath by its path: Docker does not count it."""
    with engine_errors("list containers"):
        listed: list[dict[str, Any]] = engine.containers(all=True)
    for container in listed:
        for mount in container.get("Mounts") or ():
            if str(mount.get("Source", "")).startswith(f"{mountpoint}/"):
                return str((container.get("Names") or ["/?"])[0]).removeprefix("/")
    return ""
