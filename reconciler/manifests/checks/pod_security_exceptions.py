"""The exceptions that a Cluster makes from the Pod Security Standards: paths and ports of its hosts."""

from collections.abc import Iterator

from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.model.api.cluster import PodSecurity
from reconciler.model.api.core.container import IntOrName


def check_policy(policy: PodSecurity, at: Pointer) -> Iterator[Finding]:
    """Errors about the exceptions of a Cluster; `at` is where they stand in its document."""
    for index, ports in enumerate(policy.host_ports):
        first, last = _range(ports)
        if not 1 <= first <= last <= 65535:
            message = f"{ports} is no range of ports"
            fix = "write the lower one first, from 1 to 65535"
            yield Finding((*at, "hostPorts", index), Code.INVALID_VALUE, message, fix)


def allowed_host_port(policy: PodSecurity, port: int) -> bool:
    """Whether an exception lets pods take this port of their host."""
    ranges = (_range(ports) for ports in policy.host_ports)
    return any(first <= port <= last for first, last in ranges)


def _range(ports: IntOrName) -> tuple[int, int]:
    if isinstance(ports, int):
        return ports, ports
    first, _, last = ports.partition("-")
    return int(first), int(last)
