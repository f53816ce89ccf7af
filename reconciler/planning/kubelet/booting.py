"""The pods that a host is to bring up when it boots and no master comes. Called by plan.py for `Plan.booting`.

Docker itself starts a container again, and knows nothing of an order: what shares a sandbox's network, what needs
files or a hook, and what has been kept from crashing again and again does not come back by it alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Final

from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import SANDBOX
from reconciler.model.probes import Hook
from reconciler.model.setups import BootPart, BootPod
from reconciler.planning.kubelet.container_config import has_sandbox, name_of
from reconciler.planning.kubelet.lifecycle_hooks import hook_of
from reconciler.planning.kubelet.probes import startup_of
from reconciler.planning.kubelet.volumes import directories

_MOST_KNOWN: Final = 1 << 18
_known: Final[dict[int, tuple[PodIntent, str, BootPod]]] = {}
"""By the identity of the intent, which is kept alive with it, and with the cluster's name."""
_BY_UID: Final = attrgetter("uid")


def booting_pods(pods: Iterable[PodIntent], desired: Desired) -> Mapping[str, tuple[BootPod, ...]]:
    """Return the pods that each node brings up when it boots alone, by node, sorted by uid.

    Not one that leaves, or has run to its end; nor one that is never restarted: it ends with its host.
    """
    found: defaultdict[str, list[BootPod]] = defaultdict(list)
    for intent in pods:
        spec = intent.spec
        if spec is None or intent.wanted == "leave" or intent.ended or spec.restart_policy == "Never":
            continue
        found[intent.node].append(_booting(intent, spec, desired))
    return {node: tuple(sorted(booting, key=_BY_UID)) for node, booting in found.items()}


def _booting(intent: PodIntent, spec: PodSpec, desired: Desired) -> BootPod:
    """Remembered: nothing but speed depends on it."""
    cluster = desired.cluster.metadata.name
    known = _known.get(id(intent))
    if known is not None and known[0] is intent and known[1] == cluster:
        return known[2]
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    sandbox = name_of(intent, SANDBOX, desired) if has_sandbox(spec) else ""
    memory = tuple(one for one in directories(spec, intent) if one.memory)
    made = BootPod(intent.uid, tuple(_parts(intent, spec, desired)), sandbox, memory)
    _known[id(intent)] = intent, cluster, made
    return made


def _parts(intent: PodIntent, spec: PodSpec, desired: Desired) -> Iterator[BootPart]:
    for one in spec.init_containers:
        if is_sidecar(one):
            startup = startup_of(one, intent, spec, desired)
            yield BootPart(name_of(intent, one.name, desired), "sidecar", "Always", _hook(one, intent), startup)
        else:
            yield BootPart(name_of(intent, one.name, desired), "init", "OnFailure")
    for one in spec.containers:
        name = name_of(intent, one.name, desired)
        yield BootPart(name, "main", spec.restart_policy, _hook(one, intent))


def _hook(one: Container, intent: PodIntent) -> Hook | None:
    handler = one.lifecycle.post_start
    return hook_of(handler, one, intent) if handler else None
