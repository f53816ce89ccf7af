"""What pods may ask for: the Pod Security Standards, at the level that the Cluster gives a namespace.

Rules, in the order of that page: https://kubernetes.io/docs/concepts/security/pod-security-standards/
What the schemas refuse anyway (Windows, SELinux, other AppArmor profiles and /proc mounts) needs no rule here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.manifests.across.index import Index
from reconciler.manifests.checks.pod_parts import containers_of
from reconciler.manifests.checks.pod_security_exceptions import allowed_host_port
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.manifests.manifest import Manifest
from reconciler.model.api.cluster import Cluster, PodSecurity, SecurityLevel
from reconciler.model.api.core.container import Container, SeccompProfile
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.volume import HostPathType, HostPathVolumeSource
from reconciler.model.host_paths import allowing, is_only_read

BASELINE_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
BASELINE_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
    }
)

_MADE_AS: Final[Mapping[HostPathType, HostPathType]] = {"DirectoryOrCreate": "Directory", "FileOrCreate": "File"}
_Breach = tuple[Pointer, str, str]
"""Where, what, and how to do without it."""


def check_pod_security(manifest: Manifest[Any], index: Index) -> Iterator[Finding]:
    """Errors about what an object's pods ask for; they change only with the object and the Cluster."""
    clusters = [other.object for other in index.of(Cluster).values()]
    if (template := manifest.relations.template) is None or len(clusters) != 1:
        return
    spec, at = template.spec, template.spec_at
    policy = clusters[0].spec.pod_security
    namespace = manifest.ref.namespace
    level: SecurityLevel = policy.namespaces.get(namespace, policy.default)
    if level == "privileged":
        return
    breaches = [*_baseline(spec, at, policy, namespace)]
    if level == "restricted":
        breaches += _restricted(spec, at)
    for pointer, what, instead in breaches:
        message = f"{what} is not allowed at the level {level} of namespace {namespace}"
        fix = f"{instead}, or change the Cluster's spec.podSecurity"
        yield Finding(pointer, Code.POD_SECURITY, message, fix)


def _baseline(spec: PodSpec, at: Pointer, policy: PodSecurity, namespace: str) -> Iterator[_Breach]:
    shared = {
        "hostNetwork": (spec.host_network, "its host's network"),
        "hostPID": (spec.host_pid, "its host's processes"),
        "hostIPC": (spec.host_ipc, "its host's shared memory"),
    }
    for field, (asked, what) in shared.items():
        if asked:
            yield (*at, field), f"a pod with {what}", "remove it"
    for index, volume in enumerate(spec.volumes):
        if volume.host_path is not None:
            here = (*at, "volumes", index, "hostPath")
            yield from _host_path(volume.host_path, is_only_read(spec, volume.name), here, policy, namespace)
    yield from _unconfined(spec.security_context.seccomp_profile, (*at, "securityContext"))
    for index, sysctl in enumerate(spec.security_context.sysctls):
        if sysctl.name not in BASELINE_SYSCTLS:
            here = (*at, "securityContext", "sysctls", index, "name")
            yield here, f"the kernel parameter {sysctl.name}", "remove it"
    for container, here, _ in containers_of(spec, at):
        yield from _baseline_container(container, here, policy)


def _baseline_container(container: Container, at: Pointer, policy: PodSecurity) -> Iterator[_Breach]:
    context, here = container.security_context, (*at, "securityContext")
    if context.privileged:
        yield (*here, "privileged"), "a privileged container", "remove it"
    for index, capability in enumerate(context.capabilities.add):
        if capability not in BASELINE_CAPABILITIES:
            where = (*here, "capabilities", "add", index)
            yield where, f"the capability {capability}", "remove it"
    yield from _unconfined(context.seccomp_profile, here)
    for index, port in enumerate(container.ports):
        if port.host_port and not allowed_host_port(policy, port.host_port):
            where = (*at, "ports", index, "hostPort")
            yield where, f"the host port {port.host_port}", "use a Service of type NodePort"
    yield from _other_hosts(container, at)


def _unconfined(profile: SeccompProfile | None, at: Pointer) -> Iterator[_Breach]:
    if profile is not None and profile.type == "Unconfined":
        yield (*at, "seccompProfile", "type"), "the seccomp profile Unconfined", "write RuntimeDefault"


def _other_hosts(container: Container, at: Pointer) -> Iterator[_Breach]:
    probes = {
        "startupProbe": container.startup_probe,
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
    }
    hosts: list[tuple[Pointer, str]] = []
    for field, probe in probes.items():
        if probe is not None and probe.http_get is not None:
            hosts.append(((field, "httpGet"), probe.http_get.host))
        if probe is not None and probe.tcp_socket is not None:
            hosts.append(((field, "tcpSocket"), probe.tcp_socket.host))
    for field, hook in (("postStart", container.lifecycle.post_start), ("preStop", container.lifecycle.pre_stop)):
        if hook is not None and hook.http_get is not None:
            hosts.append((("lifecycle", field, "httpGet"), hook.http_get.host))
    for where, host in hosts:
        if host:
            yield (*at, *where, "host"), "a probe or hook that asks another host than the pod", "remove it"


def _restricted(spec: PodSpec, at: Pointer) -> Iterator[_Breach]:
    for index, volume in enumerate(spec.volumes):
        if volume.nfs is not None:
            here: Pointer = (*at, "volumes", index, "nfs")
            yield here, "a volume of type nfs", "use a persistentVolumeClaim"
    pods, context = (*at, "securityContext"), spec.security_context
    if context.run_as_non_root is False:
        yield (*pods, "runAsNonRoot"), "a pod that may run as root", "write true"
    if context.run_as_user == 0:
        yield (*pods, "runAsUser"), "the user 0, which is root,", "choose another user"
    for container, here, _ in containers_of(spec, at):
        yield from _restricted_container(container, spec, here)


def _restricted_container(container: Container, spec: PodSpec, at: Pointer) -> Iterator[_Breach]:
    own, pods, here = container.security_context, spec.security_context, (*at, "securityContext")
    if own.allow_privilege_escalation is not False:
        what = "a container whose processes may gain privileges"
        yield (*here, "allowPrivilegeEscalation"), what, "write allowPrivilegeEscalation: false"
    if own.run_as_non_root is False or (own.run_as_non_root is None and pods.run_as_non_root is None):
        yield (*here, "runAsNonRoot"), "a container that may run as root", "write runAsNonRoot: true"
    if own.run_as_user == 0:
        yield (*here, "runAsUser"), "the user 0, which is root,", "choose another user"
    if own.seccomp_profile is None and pods.seccomp_profile is None:
        what = "a container without a seccomp profile"
        yield (*here, "seccompProfile"), what, "write seccompProfile: {type: RuntimeDefault}, here or for the pod"
    if "ALL" not in own.capabilities.drop:
        what = "a container that keeps capabilities"
        yield (*here, "capabilities", "drop"), what, "write capabilities: {drop: [ALL]}"
    for index, capability in enumerate(own.capabilities.add):
        if capability in BASELINE_CAPABILITIES - {"NET_BIND_SERVICE"}:  # others are told already
            yield (*here, "capabilities", "add", index), f"the capability {capability}", "remove it"


def _host_path(
    source: HostPathVolumeSource, read_only: bool, at: Pointer, policy: PodSecurity, namespace: str
) -> Iterator[_Breach]:
    """Allowed by an exception; one for reading needs every mount of the volume to be read-only."""
    rule = allowing(policy, source.path, namespace, read_only=read_only)
    if rule is None:
        yield (*at, "path"), f"the host's path {source.path}", "use another kind of volume"
    elif rule.read_only and source.type in _MADE_AS:
        what = f"making {source.path} on the host, where no more than reading {rule.path} is allowed,"
        yield (*at, "type"), what, f"make it on the hosts and write type: {_MADE_AS[source.type]}"
