"""The labs of the tests and the bars: their own, which leave a demo that is up on this machine alone."""

import os
import shutil
from pathlib import Path

from reconciler.lab import Lab
from reconciler.lab.images import ensure_images
from reconciler.lab.state import locked

DIRECTORY = Path("/var/lib/reconciler-tests")
NETWORK = 78
BUILD_SECONDS = 300
"""What another worker's build of the images may take."""


def own_lab() -> Lab:
    """One for each of pytest's workers."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    directory = DIRECTORY.with_name(f"{DIRECTORY.name}-{worker}") if worker else DIRECTORY
    return Lab.open(directory, NETWORK + worker)


def share_images(directory: Path) -> None:
    """The images into the cache of the lab in this directory: they are built once for all labs of the tests."""
    with locked(DIRECTORY, BUILD_SECONDS):
        built = ensure_images(DIRECTORY / "cache", print).path.parent
    if directory != DIRECTORY:
        shutil.copytree(built, directory / "cache", dirs_exist_ok=True)
