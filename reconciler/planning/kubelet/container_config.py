"""What a pod's containers are created as: a PodSpec, with its ConfigMaps and Secrets, as ContainerConfigs."""

from collections.abc import Mapping

from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.container import Container, is_sidecar
from reconciler.model.api.core.pod import PodSpec, RestartPolicy
from reconciler.model.container_config import ContainerConfig, HostNetwork, SharedNetwork
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import (
    LABEL_CLUSTER,
    LABEL_CONTAINER,
    LABEL_HASH,
    LABEL_IP,
    LABEL_NAMESPACE,
    LABEL_OWNER,
    LABEL_POD,
    LABEL_REVISION,
    LABEL_TEMPLATE,
    LABEL_UID,
    SANDBOX,
    Ref,
)
from reconciler.model.observed import Facts
from reconciler.model.operations import PullImage
from reconciler.model.secrets import SecretText
from reconciler.planning.allocation.identity import container_name
from reconciler.planning.kubelet.environment import environment, expand
from reconciler.planning.kubelet.pod_network import Identity, identity_of
from reconciler.planning.kubelet.resources import resources_of
from reconciler.planning.kubelet.security_context import rights_of
from reconciler.planning.kubelet.volumes import mounts_of
from reconciler.planning.state.templates import template_text

_LOGIN_KEY = ".dockerconfigjson"
_NO_SYSCTLS: Mapping[str, str] = {}


def has_sandbox(spec: PodSpec) -> bool:
    """A container alone owns its pod's network; several share that of a sandbox, which outlives each.

    On the host's network there is nothing to share but processes.
    """
    if spec.host_network:
        return spec.share_process_namespace
    return len(spec.containers) > 1 or bool(spec.init_containers) or spec.share_process_namespace


def name_of(intent: PodIntent, container: str, desired: Desired) -> str:
    cluster = desired.cluster.metadata.name
    return container_name(cluster, intent.namespace, intent.name, container, intent.uid)


def sandbox_config(intent: PodIntent, spec: PodSpec, desired: Desired) -> ContainerConfig:
    """Holds the namespaces that a pod's containers share: network, with the pod's address, host name and published
    ports; shared memory; and processes, where the pod asks for that."""
    own = identity_of(intent, spec, (*spec.containers, *spec.init_containers), desired)
    limit = desired.cluster.spec.pod_limits
    return ContainerConfig(
        name=name_of(intent, SANDBOX, desired),
        image=desired.cluster.spec.images.pause,
        labels=_labels(intent, SANDBOX, desired, own),
        network=own.network,
        hostname=own.hostname,
        domain=own.domain,
        ports=own.ports,
        stop_signal="SIGKILL",
        stop_grace_seconds=0,
        log_max_bytes=limit.container_log_max_size.whole,
        log_max_files=limit.container_log_max_files,
        no_new_privileges=True,
        cap_drop=("ALL",),
        sysctls=_sysctls(spec),
        extra_hosts=own.extra_hosts,
        dns_servers=own.dns_servers,
        dns_searches=own.dns_searches,
        dns_options=own.dns_options,
        ipc="host" if spec.host_ipc else "shareable",
    )


def container_config(
    intent: PodIntent, spec: PodSpec, container: Container, desired: Desired, facts: Facts | None = None
) -> ContainerConfig:
    """Return how a container, an init container or a sidecar is to be created.

    `facts` are the node's, if they are known: its capacity stands for limits that are not set, and says when a
    container is killed for memory.
    """
    values = environment(container, intent, spec, desired, facts)
    sandbox = name_of(intent, SANDBOX, desired) if has_sandbox(spec) else ""
    own = None if sandbox and not spec.host_network else identity_of(intent, spec, (container,), desired)
    limits, every = resources_of(container, spec, facts), desired.cluster.spec.pod_limits
    rights = rights_of(container, spec)
    return ContainerConfig(
        name=name_of(intent, container.name, desired),
        image=container.image,
        labels=_labels(intent, container.name, desired, own),
        network=own.network if own else SharedNetwork(sandbox),
        entrypoint=tuple([expand(word, values) for word in container.command]),
        command=tuple([expand(word, values) for word in container.args]),
        env=values,
        working_dir=container.working_dir,
        hostname=own.hostname if own else "",
        domain=own.domain if own else "",
        ports=own.ports if own else (),
        restart_policy=restart_policy_of(container, spec),
        stop_signal=container.lifecycle.stop_signal,
        stop_grace_seconds=spec.termination_grace_period_seconds,
        cpu_shares=limits.cpu_shares,
        cpu_milli_limit=limits.cpu_milli_limit,
        memory_limit_bytes=limits.memory_limit_bytes,
        memory_request_bytes=limits.memory_request_bytes,
        pids_limit=every.pids,
        oom_score_adj=limits.oom_score_adj,
        log_max_bytes=every.container_log_max_size.whole,
        log_max_files=every.container_log_max_files,
        mounts=mounts_of(container, intent, spec, values, desired),
        user=rights.user,
        groups=rights.groups,
        must_not_be_root=rights.must_not_be_root,
        privileged=rights.privileged,
        no_new_privileges=rights.no_new_privileges,
        read_only_root=rights.read_only_root,
        cap_add=rights.cap_add,
        cap_drop=rights.cap_drop,
        unconfined=rights.unconfined,
        sysctls=_NO_SYSCTLS if sandbox else _sysctls(spec),
        extra_hosts=own.extra_hosts if own else (),
        dns_servers=own.dns_servers if own else (),
        dns_searches=own.dns_searches if own else (),
        dns_options=own.dns_options if own else (),
        ipc="host" if spec.host_ipc else f"container:{sandbox}" if sandbox else "",
        pid=_processes(spec, sandbox),
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
    )


def pull_of(image: str, intent: PodIntent, spec: PodSpec, desired: Desired) -> PullImage:
    """Return the pull of an image with the logins of the pod's imagePullSecrets; one that is not there is passed
    over, as upstream.
    """
    logins: list[SecretText] = []
    for name in spec.image_pull_secrets:
        secret = desired.of(Secret).get(Ref("Secret", intent.namespace, name.name))
        if secret is not None and (login := secret.data.get(_LOGIN_KEY)) is not None:
            logins.append(login)
    return PullImage(image, tuple(logins))


def _labels(intent: PodIntent, container: str, desired: Desired, own: Identity | None) -> dict[str, str]:
    labels = {
        LABEL_CLUSTER: desired.cluster.metadata.name,
        LABEL_NAMESPACE: intent.namespace,
        LABEL_POD: intent.name,
        LABEL_UID: intent.uid,
        LABEL_CONTAINER: container,
        LABEL_HASH: intent.hash,
        LABEL_REVISION: intent.revision,
    }
    if intent.owner:
        labels[LABEL_OWNER] = intent.owner.as_label()
    if intent.spec is not None:
        labels[LABEL_TEMPLATE] = template_text(intent.labels, intent.spec)
    if own is not None and isinstance(own.network, HostNetwork):
        labels[LABEL_IP] = own.network.ip
    return labels


def restart_policy_of(container: Container, spec: PodSpec) -> RestartPolicy:
    """What Docker may do by itself: nothing where something is to be done before or after each start."""
    if container.lifecycle.post_start is not None:
        return "Never"
    if any(one.name == container.name for one in spec.init_containers):
        return "Always" if is_sidecar(container) else "Never"
    return spec.restart_policy


def _sysctls(spec: PodSpec) -> Mapping[str, str]:
    """Of whoever owns the network and the shared memory."""
    return {sysctl.name: sysctl.value for sysctl in spec.security_context.sysctls}


def _processes(spec: PodSpec, sandbox: str) -> str:
    if spec.host_pid:
        return "host"
    return f"container:{sandbox}" if spec.share_process_namespace else ""
