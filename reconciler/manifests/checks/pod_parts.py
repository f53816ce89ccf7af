"""The containers of a pod spec with where each stands in its document: init containers first, as they run."""

from collections.abc import Iterable, Iterator

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted
from reconciler.model.api.core.container import Container
from reconciler.model.api.core.pod import PodSpec


def containers_of(spec: PodSpec, at: Pointer) -> Iterator[tuple[Container, Pointer, bool]]:
    """Every container with its pointer, and whether it is an init container; `at` is where the pod spec stands."""
    for index, container in enumerate(spec.init_containers):
        yield container, (*at, "initContainers", index), True
    for index, container in enumerate(spec.containers):
        yield container, (*at, "containers", index), False


def check_distinct(named: Iterable[tuple[str, Pointer]], what: str, field: str) -> Iterator[Finding]:
    """Errors about things, each with its name and its pointer, that share a name; `field` holds the name."""
    seen: set[str] = set()
    for name, at in named:
        if name in seen:
            message = f"another {what} is named {quoted(name)}"
            yield Finding((*at, field), Code.DUPLICATE_NAME, message, "give each its own name")
        seen.add(name)
