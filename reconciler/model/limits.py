"""What Docker can change of a container that runs, in its own units: what it may use."""

from typing import Final

from msgspec import Struct

CPU_PERIOD: Final = 100_000
"""Microseconds that a quota is of."""
_SMALLEST_QUOTA: Final = 1000


class ContainerLimits(Struct, frozen=True):
    """0: none."""

    cpu_shares: int = 0
    cpu_quota: int = 0
    """Microseconds of each CPU_PERIOD."""
    memory: int = 0
    """How many bytes of memory it may use."""
    memory_and_swap: int = 0
    memory_reservation: int = 0
    others: tuple[str, ...] = ()
    """What we never set, by Docker's names, where it is set."""


def limits(cpu_shares: int, cpu_milli: int, memory: int, memory_reservation: int) -> ContainerLimits:
    """A quota, not Docker's NanoCpus: of those it refuses more than the host has, which Kubernetes allows. Memory
    and swap together: no swap, as otherwise it could use as much again."""
    quota = max(_SMALLEST_QUOTA, cpu_milli * CPU_PERIOD // 1000) if cpu_milli else 0
    return ContainerLimits(cpu_shares, quota, memory, memory, memory_reservation)


def can_be_put_back(now: ContainerLimits, wanted: ContainerLimits) -> bool:
    """While the container runs: Docker can change a limit of memory and not take it away, and takes away none of
    the others."""
    return not (
        now.others
        or (now.memory and not wanted.memory)
        or (now.memory_reservation and not wanted.memory_reservation)
    )
