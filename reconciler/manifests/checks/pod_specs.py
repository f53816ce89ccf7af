"""What JSON Schema cannot say about a pod as a whole: names that must differ, fields that exclude each other."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from reconciler.manifests.checks.containers import check_container
from reconciler.manifests.checks.pod_parts import check_distinct, containers_of
from reconciler.manifests.checks.volumes import check_volumes
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted
from reconciler.model.api.core.pod import PodSpec

_IPC_SYSCTLS: Final = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


def check_pod_spec(spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    """Errors and warnings about a pod spec; `at` is where it stands in its document.

    Rules: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
    """
    containers = [*containers_of(spec, at)]
    if len(containers) > 1:
        yield from check_distinct(
            ((container.name, here) for container, here, _ in containers), "container", "name"
        )
    yield from _host_ports(spec, at)
    for container, here, init in containers:
        yield from check_container(container, spec, here, init=init)
    yield from check_volumes(spec, at)
    if spec.tolerations:
        yield from _tolerations(spec, at)
    yield from _network(spec, at)
    if spec.security_context.sysctls:
        yield from _sysctls(spec, at)
    if spec.share_process_namespace and spec.host_pid:
        message = "the pod's processes cannot be both its own and the host's"
        yield Finding((*at, "shareProcessNamespace"), Code.CONFLICTING_FIELDS, message, "keep one of the two")


def _host_ports(spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    taken: dict[tuple[int, str], set[str]] = {}
    for container, where, _ in containers_of(spec, at):
        for index, port in enumerate(container.ports):
            number = port.host_port or (port.container_port if spec.host_network else 0)
            if not number:
                continue
            here = (*where, "ports", index, "hostPort")
            if spec.host_network and number != port.container_port:
                message = f"on its host's network, the container's port {port.container_port} is the host's"
                yield Finding(here, Code.CONFLICTING_FIELDS, message, f"write {port.container_port}, or remove it")
            ips = taken.setdefault((number, port.protocol), set())
            if port.host_ip in ips or (ips and (not port.host_ip or "" in ips)):
                message = f"the host port {number} is taken by another port of this pod"
                yield Finding(here, Code.DUPLICATE_PORT, message, "choose another one, or leave it out")
            ips.add(port.host_ip)


def _tolerations(spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    for index, toleration in enumerate(spec.tolerations):
        here = (*at, "tolerations", index)
        if toleration.operator == "Exists" and toleration.value:
            fix = "remove the value, or write operator: Equal"
            yield Finding((*here, "value"), Code.CONFLICTING_FIELDS, "Exists takes no value", fix)
        if toleration.operator == "Equal" and not toleration.key:
            fix = "add the key, or write operator: Exists to tolerate every taint"
            yield Finding(here, Code.CONFLICTING_FIELDS, "a toleration without a key tolerates nothing", fix)


def _network(spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    if spec.dns_policy == "None" and not spec.dns_config.nameservers:
        fix = "name one in dnsConfig.nameservers, or choose another dnsPolicy"
        yield Finding(
            (*at, "dnsPolicy"), Code.CONFLICTING_FIELDS, "None leaves the pod without a name server", fix
        )
    for index, server in enumerate(spec.dns_config.nameservers):
        yield from _address(server, (*at, "dnsConfig", "nameservers", index))
    for index, alias in enumerate(spec.host_aliases):
        yield from _address(alias.ip, (*at, "hostAliases", index, "ip"))


def _address(text: str, at: Pointer) -> Iterator[Finding]:
    try:
        ip_address(text)
    except ValueError:
        message = f"{quoted(text)} is not an IP address"
        yield Finding(at, Code.INVALID_ADDRESS, message, "write one like 10.0.0.53 or fd00::53")


def _sysctls(spec: PodSpec, at: Pointer) -> Iterator[Finding]:
    """Only what belongs to a namespace can differ between a pod and its host."""
    here = (*at, "securityContext", "sysctls")
    sysctls = spec.security_context.sysctls
    yield from check_distinct(
        ((sysctl.name, (*here, index)) for index, sysctl in enumerate(sysctls)), "parameter", "name"
    )
    for index, sysctl in enumerate(sysctls):
        name, where = sysctl.name, (*here, index, "name")
        if name.startswith("net."):
            shared = "network" if spec.host_network else ""
        elif name.startswith(_IPC_SYSCTLS):
            shared = "shared memory" if spec.host_ipc else ""
        else:
            message = f"{name} is a setting of the whole host, not of a pod"
            fix = "set it on the hosts; a pod can have net.*, kernel.shm*, kernel.msg*, kernel.sem and fs.mqueue.*"
            yield Finding(where, Code.INVALID_VALUE, message, fix)
            continue
        if shared:
            message = f"the pod has its host's {shared}, and {name} would change the host"
            yield Finding(where, Code.CONFLICTING_FIELDS, message, "remove it, and set it on the hosts")
