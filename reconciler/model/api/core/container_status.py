"""How a container of a pod stands.

Rule: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states
"""

from msgspec import Struct


class ContainerStateWaiting(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Why a container is not running yet, or not again."""

    reason: str = ""
    """Kubernetes' own words: CrashLoopBackOff, ImagePullBackOff, ContainerCreating…"""
    message: str = ""


class ContainerStateRunning(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Since when a container has been running."""

    started_at: str = ""
    """RFC 3339, from the host's clock."""


class ContainerStateTerminated(Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a run of a container ended."""

    exit_code: int | None = None
    """None if the container could not be started."""
    reason: str = ""
    """Completed, Error, OOMKilled…"""
    message: str = ""
    """Why it could not go on; of an earlier run that failed, the last lines that it wrote."""
    started_at: str = ""
    finished_at: str = ""


class ContainerState(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One of the three; none of them for an earlier run that there was not."""

    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None

    @property
    def reason(self) -> str:
        """Why the container waits or has ended; empty while it runs."""
        stopped = self.waiting or self.terminated
        return stopped.reason if stopped is not None else ""

    @property
    def message(self) -> str:
        """The same in a sentence."""
        stopped = self.waiting or self.terminated
        return stopped.message if stopped is not None else ""


class ContainerStatus(Struct, frozen=True, rename="camel"):
    """How one container of a pod stands."""

    name: str
    image: str
    ready: bool = False
    """Whether its readiness probe, if it has one, succeeds; of an init container, whether it has ended well."""
    started: bool = False
    """Whether it runs, and its startup probe, if it has one, has succeeded."""
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState | None = None
    """How the run before ended."""
