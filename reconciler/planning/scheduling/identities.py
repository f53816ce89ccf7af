"""Names and uids for the pods of one cycle: they follow from how many pods an owner ever had.

A pod that is one of a kind has the name that its workload gives it, and a new uid each time.
"""

from collections.abc import Container, Mapping, Sequence

from reconciler.model.names import Ref, Uid
from reconciler.planning.allocation.identity import pod_name, pod_uid
from reconciler.planning.decisions import PodToCreate


class Identities:
    """Gives names and uids, and counts how many pods each owner ever had."""

    def __init__(self, cluster: str, incarnations: Mapping[Ref, int], taken: Container[Uid]) -> None:
        """`taken` are uids that no new pod may get."""
        self._cluster = cluster
        self._before = incarnations
        self._taken = taken
        self._given: set[Uid] = set()
        self.incarnations: dict[Ref, int] = {}
        """How many pods there ever were, of each owner that was given a name for one."""

    def give(self, pod: PodToCreate) -> tuple[str, Uid]:
        """Return the name and the uid of the owner's next pod."""
        name, uid, self.incarnations[pod.owner] = self._first_free(pod, self._next_number(pod.owner))
        return name, uid

    def next_ones(self, pods: Sequence[PodToCreate]) -> Sequence[tuple[str, Uid]]:
        """Return the names and uids that these pods of one owner will have, if they come before others of it."""
        number = self._next_number(pods[0].owner)
        names = []
        for pod in pods:
            name, uid, number = self._first_free(pod, number)
            names.append((name, uid))
        return names

    def _next_number(self, owner: Ref) -> int:
        number = self.incarnations.get(owner)
        return self._before.get(owner, 0) if number is None else number

    def _first_free(self, pod: PodToCreate, number: int) -> tuple[str, Uid, int]:
        """Return the first free name and uid from this number on, and the number after theirs."""
        while True:
            name = pod.name or pod_name(pod.owner, pod.hash, number)
            uid = pod_uid(self._cluster, pod.owner.namespace, name, number)
            number += 1
            if uid not in self._taken and uid not in self._given:
                self._given.add(uid)
                return name, uid, number
