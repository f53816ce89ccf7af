"""Who a container runs as, and what it may do: its securityContext over its pod's.

Rules: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
"""

from typing import Final, NamedTuple

from reconciler.model.api.core.container import Container, SecurityContext
from reconciler.model.api.core.pod import PodSpec

_RAW: Final = "NET_RAW"


class Rights(NamedTuple):
    """The fields of a ContainerConfig of the same names."""

    user: str
    groups: tuple[int, ...]
    must_not_be_root: bool
    privileged: bool
    no_new_privileges: bool
    read_only_root: bool
    cap_add: tuple[str, ...]
    cap_drop: tuple[str, ...]
    unconfined: bool


def rights_of(container: Container, spec: PodSpec) -> Rights:
    own, pod = container.security_context, spec.security_context
    user = user_of(container, spec)
    group = pod.run_as_group if own.run_as_group is None else own.run_as_group
    non_root = pod.run_as_non_root if own.run_as_non_root is None else own.run_as_non_root
    seccomp = own.seccomp_profile or pod.seccomp_profile
    return Rights(
        user=_user(user, group),
        groups=_groups(spec),
        must_not_be_root=bool(non_root) and not user,
        privileged=own.privileged,
        no_new_privileges=own.allow_privilege_escalation is False,
        read_only_root=own.read_only_root_filesystem,
        cap_add=own.capabilities.add,
        cap_drop=_dropped(own),
        unconfined=seccomp is not None and seccomp.type == "Unconfined",
    )


def _dropped(context: SecurityContext) -> tuple[str, ...]:
    """NET_RAW with the rest, which Docker keeps unless told: it is there for who asks for it, and may.

    With it a process writes whole packets, under any address."""
    add, drop = context.capabilities.add, context.capabilities.drop
    keeps = context.privileged or {"ALL", _RAW} & {*add, *drop}
    return drop if keeps else (*drop, _RAW)


def user_of(container: Container, spec: PodSpec) -> int | None:
    """Return the user that a container runs as; None if the image names one."""
    own = container.security_context.run_as_user
    return spec.security_context.run_as_user if own is None else own


def _user(user: int | None, group: int | None) -> str:
    """A group alone cannot be said to Docker without naming a user: upstream's runtimes refuse it, too."""
    if user is None:
        return ""
    return str(user) if group is None else f"{user}:{group}"


def _groups(spec: PodSpec) -> tuple[int, ...]:
    pod = spec.security_context
    if pod.fs_group is None or pod.fs_group in pod.supplemental_groups:
        return pod.supplemental_groups
    return (*pod.supplemental_groups, pod.fs_group)
