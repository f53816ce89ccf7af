"""A process that changes a host without a pause, as a reconciler with much work: to be stopped in its midst.

`python -m tests.lab.busy_master NODE OWNER`, for the lab of its environment. A line with an epoch on stdin makes
it take the host with that epoch; it prints `leads` when it has it, and `lost` when it has not any more.
"""

import sys

import structlog

from reconciler.model.leases import Claim
from reconciler.model.names import Ref
from reconciler.model.operations import (
    CreateContainer,
    Operation,
    PodWork,
    RemoveContainer,
    VolumeFile,
    WriteFiles,
)
from tests.node_host import Host, connect, node_of, sandbox
from tests.own_lab import own_lab

PODS = 3


def work(owner: str, pod: int, turn: int) -> tuple[Operation, ...]:
    """By Docker and by the host's shell: a file, and a container that is made and removed. None takes long."""
    name = f"{owner}-{pod}"
    return (
        WriteFiles(name, "config", (VolumeFile("turn", str(turn), 0o644),), str(turn)),
        CreateContainer(sandbox(name, name=name, ip=f"10.244.9.{10 + pod}")),
        RemoveContainer(name, name),
    )


def main(node: str, owner: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    lab = own_lab()
    host: Host = connect(node_of(lab, int(node) - 1), lab, lead=False)
    host.found()
    for line in sys.stdin:
        epoch = int(line)
        host.session.lead(Claim(owner, epoch, f"{owner}@here", take_over=True))
        host.told.wait_for(lambda epoch=epoch: host.session.seat.granted == epoch)  # type: ignore[misc]
        print("leads", flush=True)
        turn = 0
        while host.session.seat.granted == epoch:
            turn += 1
            done = len(host.told.outcomes) + PODS
            for pod in range(PODS):
                name = f"{owner}-{pod}"
                host.session.submit(
                    PodWork(host.session.name, Ref("Pod", "default", name), name, work(owner, pod, turn))
                )
            host.told.wait_for(lambda done=done: len(host.told.outcomes) >= done)  # type: ignore[misc]
        print("lost", flush=True)
        host.found()
    host.session.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
