"""Removes the Docker volume of a claim: only ours, and only where nothing uses it."""

from collections.abc import Callable
from typing import Any

from reconciler.model.names import LABEL_CLAIM, LABEL_CLUSTER, LABEL_CONTAINER, LABEL_UID
from reconciler.nodes.docker.engine import Engine, engine_errors
from reconciler.nodes.errors import EngineError, NotOurs


def remove_volume(
    engine: Engine, cluster: str, volume: str, users_of_parts: Callable[[str], frozenset[str]]
) -> None:
    """Done where there is none. NotOurs where its labels say so, EngineError where a container uses it.

    `users_of_parts`: the containers, as `UID/CONTAINER`, that have mounted a part of this directory."""
    try:
        with engine_errors(f"inspect the volume {volume}"):
            found: dict[str, Any] = engine.inspect_volume(volume)
        labels = found.get("Labels") or {}
        if labels.get(LABEL_CLUSTER) != cluster or LABEL_CLAIM not in labels:
            raise NotOurs(f"a Docker volume {volume} exists, and no label says that it is of a claim: left alone")
        mountpoint = str(found.get("Mountpoint", ""))
        if mountpoint and (user := _user_of_a_part(engine, mountpoint, users_of_parts(mountpoint))):
            raise EngineError(409, f"the volume {volume} is used by the container {user}")
        with engine_errors(f"remove the volume {volume}"):
            engine.remove_volume(volume)
    except EngineError as error:
        if error.status != 404:
            raise


def _user_of_a_part(engine: Engine, mountpoint: str, users: frozenset[str]) -> str:
    """A container that mounts a subPath does not count as a user for Docker: it mounts a pin, or, where an earlier
    version made it, a path."""
    with engine_errors("list containers"):
        listed: list[dict[str, Any]] = engine.containers(all=True)
    for container in listed:
        labels = container.get("Labels") or {}
        sources = [str(mount.get("Source", "")) for mount in container.get("Mounts") or ()]
        if f"{labels.get(LABEL_UID)}/{labels.get(LABEL_CONTAINER)}" in users or any(
            source.startswith(f"{mountpoint}/") for source in sources
        ):
            return str((container.get("Names") or ["/?"])[0]).removeprefix("/")
    return ""
