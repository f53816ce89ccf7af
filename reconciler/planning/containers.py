"""What a pod's containers are created as: a PodSpec, with its ConfigMaps and Secrets, as ContainerConfigs."""

from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import (
    LABEL_CLUSTER,
    LABEL_CONTAINER,
    LABEL_HASH,
    LABEL_NAMESPACE,
    LABEL_OWNER,
    LABEL_POD,
    LABEL_REVISION,
    LABEL_UID,
    SANDBOX,
)
from reconciler.model.operations import ContainerConfig, PodAddress, PublishedPort, SharedNetwork
from reconciler.model.pods import Container, PodSpec
from reconciler.planning.environment import environment, expand
from reconciler.planning.identity import container_name

_LONGEST_HOSTNAME = 63
_SHARES_OF_A_CPU = 1024
_FEWEST_SHARES = 2


def has_sandbox(spec: PodSpec) -> bool:
    """A container alone owns its pod's network; several share that of a sandbox, which outlives each."""
    return len(spec.containers) > 1


def name_of(intent: PodIntent, container: str, desired: Desired) -> str:
    cluster = desired.cluster.metadata.name
    return container_name(cluster, intent.namespace, intent.name, container, intent.uid)


def sandbox_config(intent: PodIntent, spec: PodSpec, desired: Desired) -> ContainerConfig:
    """Holds the network namespace, and with it the pod's address, host name and published ports."""
    return ContainerConfig(
        name=name_of(intent, SANDBOX, desired),
        image=desired.cluster.spec.images.pause,
        labels=_labels(intent, SANDBOX, desired),
        network=PodAddress(intent.ip),
        hostname=_hostname(intent),
        ports=tuple(port for container in spec.containers for port in _published(container)),
        stop_signal="SIGKILL",
        stop_grace_seconds=0,
    )


def container_config(intent: PodIntent, spec: PodSpec, container: Container, desired: Desired) -> ContainerConfig:
    values = environment(container, intent, desired)
    requests = container.resources.requests
    limits = container.resources.limits
    cpu, cpu_limit = requests.get("cpu") or limits.get("cpu"), limits.get("cpu")
    memory, memory_limit = requests.get("memory"), limits.get("memory")
    alone = not has_sandbox(spec)
    return ContainerConfig(
        name=name_of(intent, container.name, desired),
        image=container.image,
        labels=_labels(intent, container.name, desired),
        network=PodAddress(intent.ip) if alone else SharedNetwork(name_of(intent, SANDBOX, desired)),
        entrypoint=tuple(expand(word, values) for word in container.command),
        command=tuple(expand(word, values) for word in container.args),
        env=values,
        working_dir=container.working_dir,
        hostname=_hostname(intent) if alone else "",
        ports=_published(container) if alone else (),
        restart_policy=spec.restart_policy,
        stop_grace_seconds=spec.termination_grace_period_seconds,
        cpu_shares=max(_FEWEST_SHARES, cpu.milli * _SHARES_OF_A_CPU // 1000) if cpu else 0,
        cpu_milli_limit=cpu_limit.milli if cpu_limit else 0,
        memory_limit_bytes=memory_limit.whole if memory_limit else 0,
        memory_request_bytes=memory.whole if memory else 0,
    )


def _labels(intent: PodIntent, container: str, desired: Desired) -> dict[str, str]:
    labels = {
        LABEL_CLUSTER: desired.cluster.metadata.name,
        LABEL_NAMESPACE: intent.namespace,
        LABEL_POD: intent.name,
        LABEL_UID: intent.uid,
        LABEL_CONTAINER: container,
        LABEL_HASH: intent.hash,
        LABEL_REVISION: intent.revision,
    }
    return {**labels, LABEL_OWNER: intent.owner.as_label()} if intent.owner else labels


def _published(container: Container) -> tuple[PublishedPort, ...]:
    return tuple(
        PublishedPort(port.container_port, port.host_port, port.protocol.lower())
        for port in container.ports
        if port.host_port
    )


def _hostname(intent: PodIntent) -> str:
    return intent.name[:_LONGEST_HOSTNAME].rstrip("-.")
