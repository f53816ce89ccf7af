"""Whether an image is on a host already, and when it is to be pulled.

Rules: https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy
"""

from collections.abc import Collection
from typing import Literal

_DOCKER_HUB = ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/")

Policy = Literal["", "Always", "IfNotPresent", "Never"]


def must_pull(image: str, policy: Policy, present: Collection[str]) -> bool:
    """Asked each time a container is to be created."""
    if policy == "Never":
        return False
    if (policy or default_policy(image)) == "Always":
        return True
    return not is_present(image, present)


def is_present(image: str, present: Collection[str]) -> bool:
    return tagged(image) in present or image in present


def default_policy(image: str) -> Policy:
    """`latest`, written or not, may be another image by now; any other tag or a digest is taken to stay."""
    return "Always" if tagged(image).endswith(":latest") and "@" not in image else "IfNotPresent"


def tagged(image: str) -> str:
    """Return the name of an image as a Docker host lists it: with its tag, and Docker Hub's own name left out."""
    for prefix in _DOCKER_HUB:
        if image.startswith(prefix):
            image = image.removeprefix(prefix)
            break
    name = image.rpartition("/")[2]
    return image if ":" in name or "@" in name else f"{image}:latest"
