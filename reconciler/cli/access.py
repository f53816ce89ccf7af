"""Finds a pod by the name that a person gives, and its host: for every command that talks to a pod.

What is known comes from the state; the connection is the command's own, so that it works beside a running
reconciler, and without one.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from msgspec import Struct

from reconciler.cli.options import host_options, namespace_option
from reconciler.kinds import ADMITTED, KINDS
from reconciler.kinds.apps.replica_set import REPLICA_SET
from reconciler.kinds.cluster.hosts import read_hosts
from reconciler.kinds.core.service import SERVICE
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.container_status import ContainerStatus
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.pod import Pod, container_statuses_of, is_pod_ready
from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import Object, controller_of, ref_of
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.plan import Status
from reconciler.nodes.access.host import HostAccess, reaching
from reconciler.nodes.errors import NodeError
from reconciler.settings import Settings
from reconciler.stores import open_reader
from reconciler.wiring.hosts import credentials_of

Command = TypeVar("Command", bound=Callable[..., Any])
Answer = TypeVar("Answer")

_AT_ONCE = 16

_WITH_PODS = [
    kind.names
    for kind in KINDS
    if kind in (SERVICE, REPLICA_SET) or (kind.admission is not None and kind.admission.pod_template is not None)
]
_KINDS = {alias: names.kind for names in _WITH_PODS for alias in names.aliases}
"""Kinds by which a pod can be named: its own, those that make pods, and Services, which select some."""


def container_option(command: Command) -> Command:
    return click.option(
        "-c", "--container", default="", help="Which of the pod's containers; its first one without."
    )(command)


def pod_options(command: Command) -> Command:
    """Where the pod is looked for, and how its host is reached."""
    return namespace_option(host_options(command))


class ClusterAccess(Struct, frozen=True):
    """What the state says, and how to reach the hosts."""

    statuses: Mapping[Ref, Status]
    memory: Memory
    settings: Settings

    def pod(self, word: str, namespace: str) -> Pod:
        """`NAME`, `pod/NAME`, `deploy/NAME` or `svc/NAME`; of the latter two their first ready pod.

        ClickException where there is none, or it is on no node."""
        ref = target(word, namespace)
        pod = self._named(ref) if ref.kind == "Pod" else self._first_of(ref)
        if not pod.spec.node_name:
            why = pod.status.message or pod.status.reason
            raise click.ClickException(f"{ref_of(pod)} is on no node yet{f': {why}' if why else ''}")
        return pod

    def pods(self) -> list[Pod]:
        return [one for one in self.statuses.values() if isinstance(one, Pod)]

    def hosts(self) -> tuple[Cluster, Mapping[str, Node]]:
        """Return the Cluster and the Nodes of the revision planned last; ClickException if there is none."""
        hosts = read_hosts(self.memory.applied, ADMITTED)
        if hosts is None:
            raise click.ClickException(
                "this state knows no hosts yet; `reconciler run`, or `reconciler apply`, makes it so"
            )
        return hosts

    @contextmanager
    def reaching(self, node: str) -> Iterator[HostAccess]:
        """NodeError where the host cannot be reached; ClickException where it is no node any more."""
        cluster, nodes = self.hosts()
        if node not in nodes:
            raise click.ClickException(f"node {node!r} is not in the manifests any more, so nobody connects to it")
        with reaching(nodes[node], cluster, credentials_of(self.settings)) as host:
            yield host

    # --- inside -------------------------------------------------------------------------------------------------

    def _named(self, ref: Ref) -> Pod:
        found = self.statuses.get(ref)
        if isinstance(found, Pod):
            return found
        raise click.ClickException(self._not_found(ref))

    def _first_of(self, ref: Ref) -> Pod:
        if ref not in self.statuses:
            raise click.ClickException(self._not_found(ref))
        pods = sorted(
            self._pods_of(ref), key=lambda pod: (not is_pod_ready(pod), not pod.spec.node_name, ref_of(pod))
        )
        if not pods:
            raise click.ClickException(f"{ref} has no pods now")
        return pods[0]

    def _pods_of(self, ref: Ref) -> Iterator[Pod]:
        """The pods that a Service selects, or that a workload owns."""
        thing = self.statuses.get(ref)
        for pod in self.pods():
            if pod.metadata.namespace != ref.namespace:
                continue
            if isinstance(thing, Service):
                selector = thing.spec.selector
                if selector and selector.items() <= pod.metadata.labels.items():
                    yield pod
            elif ref in self._controllers_of(pod):
                yield pod

    def _controllers_of(self, pod: Pod) -> Iterator[Ref]:
        """What makes and removes the pod, and what makes and removes that: its ReplicaSet, and its Deployment."""
        thing: Object | None = pod
        while thing is not None and (owner := controller_of(thing.metadata)) is not None:
            ref = Ref(owner.kind, thing.metadata.namespace, owner.name)
            yield ref
            thing = self.statuses.get(ref)

    def _not_found(self, ref: Ref) -> str:
        others = [other for other in self.statuses if other.kind == ref.kind]
        words = f"{ref.kind.lower()} {ref.name!r} not found in namespace {ref.namespace}"
        if elsewhere := sorted(other.namespace for other in others if other.name == ref.name):
            return f"{words}; there is one in namespace {elsewhere[0]} (-n {elsewhere[0]})"
        near = difflib.get_close_matches(
            ref.name, [other.name for other in others if other.namespace == ref.namespace], 1
        )
        return f"{words}; did you mean {near[0]!r}?" if near else words


def known(settings: Settings) -> ClusterAccess:
    """StoreFailed where there is no state."""
    with open_reader(settings.state_dir) as reader:
        return ClusterAccess(reader.statuses(), reader.memory(), settings)


def ask_each(
    nodes: Collection[str], question: Callable[[str], Answer]
) -> dict[str, Answer | NodeError | click.ClickException]:
    """About all hosts at the same time; of one that does not answer, why."""

    def ask(node: str) -> Answer | NodeError | click.ClickException:
        try:
            return question(node)
        except (NodeError, click.ClickException) as error:
            return error

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(nodes, pool.map(ask, nodes), strict=True))


def target(word: str, namespace: str) -> Ref:
    """The object that `deploy/web` names; a bare name is a pod's. ClickException for another kind."""
    kind, slash, name = word.rpartition("/")
    if not slash:
        return Ref("Pod", namespace, word)
    if kind.lower() not in _KINDS or not name:
        raise click.UsageError(f"{word!r} names no pod: write NAME, pod/NAME, deploy/NAME or svc/NAME")
    return Ref(_KINDS[kind.lower()], namespace, name)


def choose_container(pod: Pod, name: str, *, quiet: bool = False) -> ContainerStatus:
    """The one of this name; without a name the first main one, which is said where there are others."""
    containers = container_statuses_of(pod)
    if name:
        for container in containers:
            if container.name == name:
                return container
        raise click.ClickException(
            f"container {name!r} is not in {ref_of(pod)}; it has: {', '.join(_listed(pod)) or 'none'}"
        )
    if not containers:
        raise click.ClickException(f"nothing is known of the containers of {ref_of(pod)}")
    main = (pod.status.container_statuses or containers)[0]
    if len(containers) > 1 and not quiet:
        click.echo(f'Defaulted container "{main.name}" out of: {", ".join(_listed(pod))}', err=True)
    return main


def on_host(host: HostAccess, pod: Pod, container: str) -> str:
    """The container's id. ClickException where it has not been made."""
    found = host.containers_of(pod.metadata.uid).get(container)
    if found is None:
        status = next((one for one in container_statuses_of(pod) if one.name == container), None)
        why = f": {status.state.reason}" if status and status.state.reason else ""
        raise click.ClickException(f"container {container!r} of {ref_of(pod)} is not on {pod.spec.node_name}{why}")
    return found


def _listed(pod: Pod) -> list[str]:
    """As kubectl lists them: the main ones first, init containers marked."""
    main = [one.name for one in pod.status.container_statuses]
    return main + [f"{one.name} (init)" for one in pod.status.init_container_statuses]
