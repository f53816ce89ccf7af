"""Removes the Docker volume of a claim: only ours, and only where nothing uses it."""

from typing import Any

from reconciler.model.names import LABEL_CLAIM, LABEL_CLUSTER
from reconciler.nodes.engine import Engine, engine_errors
from reconciler.nodes.errors import EngineError, NotOurs


def remove_volume(engine: Engine, cluster: str, volume: str) -> None:
    """Done where there is none. NotOurs where its labels say so, EngineError where a container uses it."""
    try:
        with engine_errors(f"inspect the volume {volume}"):
            found: dict[str, Any] = engine.inspect_volume(volume)
        labels = found.get("Labels") or {}
        if labels.get(LABEL_CLUSTER) != cluster or LABEL_CLAIM not in labels:
            raise NotOurs(f"a Docker volume {volume} exists, and no label says that it is of a claim: left alone")
        if user := _user_of_a_part(engine, str(found.get("Mountpoint", ""))):
            raise EngineError(409, f"the volume {volume} is used by the container {user}")
        with engine_errors(f"remove the volume {volume}"):
            engine.remove_volume(volume)
    except EngineError as error:
        if error.status != 404:
            raise


def _user_of_a_part(engine: Engine, mountpoint: str) -> str:
    """A container that mounts a subPath has it by its path on the host: Docker does not count it as a user."""
    with engine_errors("list containers"):
        listed: list[dict[str, Any]] = engine.containers(all=True)
    for container in listed:
        for mount in container.get("Mounts") or ():
            if mountpoint and str(mount.get("Source", "")).startswith(f"{mountpoint}/"):
                return str((container.get("Names") or ["/?"])[0]).removeprefix("/")
    return ""
