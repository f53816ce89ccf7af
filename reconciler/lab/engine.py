"""The few Docker API calls the lab needs itself, straight over a host's socket seen through /proc."""

import http.client
import json
import socket
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from reconciler.lab.errors import LabError


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(str(self._path))
        except OSError:
            self.sock.close()
            raise


def engine_answers(path: Path, timeout: float = 2.0) -> bool:
    try:
        return _call(path, "GET", "/_ping", timeout=timeout)[0] == 200
    except OSError:
        return False


def image_ids(path: Path) -> dict[str, str]:
    """Image id by tag."""
    _, body = _call(path, "GET", "/images/json", timeout=30)
    images: list[dict[str, Any]] = json.loads(body)
    return {tag: image["Id"] for image in images for tag in image.get("RepoTags") or ()}


def labelled_containers(path: Path, label: str) -> list[dict[str, Any]]:
    """The containers that have this label, running or not, as the engine lists them."""
    filters = urllib.parse.quote(json.dumps({"label": [label]}))
    try:
        status, body = _call(path, "GET", f"/containers/json?all=1&filters={filters}", timeout=60)
    except OSError as error:
        raise LabError(f"the engine at {path} does not list its containers: {error}") from error
    if status != 200:
        said = body.decode(errors="replace").strip()
        raise LabError(f"the engine at {path} does not list its containers (HTTP {status}): {said}")
    found: list[dict[str, Any]] = json.loads(body)
    return found


def remove_labelled(path: Path, label: str) -> None:
    """End and remove all containers, networks and volumes that have this label.

    A removal that somebody else began goes on in the engine: another one is refused (409) until it is through.
    """
    end = time.monotonic() + 30
    while containers := labelled_containers(path, label):
        if time.monotonic() > end:
            names = ", ".join(str(one["Names"]) for one in containers)
            raise LabError(f"the engine at {path} does not remove {names}")
        with ThreadPoolExecutor(len(containers)) as pool:
            removals = [pool.submit(_remove, path, f"/containers/{one['Id']}?force=1&v=1") for one in containers]
        if not all(removal.result() for removal in removals):
            time.sleep(0.2)
    filters = urllib.parse.quote(json.dumps({"label": [label]}))
    for network in _listed(path, f"/networks?filters={filters}"):
        _remove(path, f"/networks/{network['Id']}")
    for volume in _listed(path, f"/volumes?filters={filters}")["Volumes"] or ():
        _remove(path, f"/volumes/{urllib.parse.quote(volume['Name'])}?force=1")


def _listed(path: Path, url: str) -> Any:
    status, body = _call(path, "GET", url, timeout=30)
    if status != 200:
        said = body.decode(errors="replace").strip()
        raise LabError(f"the engine at {path} does not answer {url} (HTTP {status}): {said}")
    return json.loads(body)


def _remove(path: Path, url: str) -> bool:
    """False: it is being removed already."""
    status, body = _call(path, "DELETE", url, timeout=60)
    if status not in (204, 404, 409):
        said = body.decode(errors="replace").strip()
        raise LabError(f"the engine at {path} does not remove {url} (HTTP {status}): {said}")
    return status != 409


def load_images(path: Path, archive: BinaryIO, size: int, timeout: float = 120.0) -> None:
    """`docker load` of a docker-archive tar."""
    headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)}
    status, body = _call(path, "POST", "/images/load?quiet=1", timeout, archive, headers)
    if status != 200 or b'"errorDetail"' in body:
        said = body.decode(errors="replace").strip()
        raise LabError(f"the engine at {path} refused the lab's images (HTTP {status}): {said}")


def ssh_answers(address: str, port: int, timeout: float = 1.0) -> bool:
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            return connection.recv(8).startswith(b"SSH-2.0")
    except OSError:
        return False


def _call(
    path: Path,
    method: str,
    url: str,
    timeout: float,
    body: BinaryIO | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    connection = _UnixConnection(path, timeout)
    try:
        connection.request(method, url, body=body, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()
    except http.client.HTTPException as error:
        raise OSError(f"no sensible HTTP reply: {error!r}") from error
    finally:
        connection.close()
