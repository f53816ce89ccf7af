"""What a pod tells its containers of itself: fieldRef and resourceFieldRef, in variables and in files.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
"""

import re
from collections.abc import Mapping
from fractions import Fraction

from reconciler.model.api.core.container import Container
from reconciler.model.api.core.env import ResourceFieldSelector
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.observed import Facts
from reconciler.model.quantities import Quantity

_ONE_OF_A_MAP = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_SHORT_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def field_of(path: str, intent: PodIntent, desired: Desired) -> str:
    """The value of a fieldPath; empty where the pod has none, or where the path is none that upstream allows."""
    if match := _ONE_OF_A_MAP.fullmatch(path):
        return _map_of(match[1], intent, desired).get(match[2], "")
    match path:
        case "metadata.name":
            return intent.name
        case "metadata.namespace":
            return intent.namespace
        case "metadata.uid":
            return intent.uid
        case "metadata.labels" | "metadata.annotations":
            return _as_lines(_map_of(path.removeprefix("metadata."), intent, desired))
        case "spec.nodeName":
            return intent.node
        case "spec.serviceAccountName":
            return "default"
        case "status.podIP" | "status.podIPs":
            return intent.ip or host_address(intent, desired)
        case "status.hostIP" | "status.hostIPs":
            return host_address(intent, desired)
        case _:
            return ""


def host_address(intent: PodIntent, desired: Desired) -> str:
    """Return where the pod's host is, as its Node says: an address, or a name."""
    node = desired.nodes.get(intent.node)
    return node.ssh.host if node else ""


def resource_of(selector: ResourceFieldSelector, container: Container, facts: Facts | None) -> str:
    """A whole number of divisors, rounded up; `0` where nothing is known.

    A limit that is not set is the node's capacity, as upstream; while that is unknown, it is the request.
    A request that is not set is the limit.
    """
    kind, _, resource = selector.resource.partition(".")
    limit = container.resources.limits.get(resource)
    request = container.resources.requests.get(resource)
    amount = (request or limit) if kind == "requests" else limit or _capacity(resource, facts) or request
    if amount is None:
        return "0"
    divisor = selector.divisor.value if selector.divisor and selector.divisor.value > 0 else Fraction(1)
    return str(-int(-amount.value / divisor // 1))


def resource_of_pod(selector: ResourceFieldSelector, spec: PodSpec, facts: Facts | None) -> str:
    """The same of the container that the selector names."""
    for container in (*spec.containers, *spec.init_containers):
        if container.name == selector.container_name:
            return resource_of(selector, container, facts)
    return "0"


def _capacity(resource: str, facts: Facts | None) -> Quantity | None:
    if facts is None:
        return None
    amounts = {"cpu": facts.cpus, "memory": facts.memory_bytes}
    return Quantity.parse(amounts[resource]) if resource in amounts else None


def _map_of(name: str, intent: PodIntent, desired: Desired) -> Mapping[str, str]:
    if name == "labels":
        return intent.labels
    template = desired.templates.get(intent.workload)
    return template.annotations if template is not None else {}


def _as_lines(values: Mapping[str, str]) -> str:
    """As upstream writes labels and annotations into a file: `key="value"`, sorted, values quoted as Go does."""
    return "\n".join(f'{key}="{_escaped(values[key])}"' for key in sorted(values))


def _escaped(text: str) -> str:
    return text if text.isprintable() and '"' not in text and "\\" not in text else "".join(map(_escape, text))


def _escape(character: str) -> str:
    if (short := _SHORT_ESCAPES.get(character)) is not None:
        return short
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
