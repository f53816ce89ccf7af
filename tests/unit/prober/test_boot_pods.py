"""What is brought up on a host that has booted alone, in which order, and what is left to a master."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.api.core.pod import RestartPolicy
from reconciler.model.probes import RunCommand
from reconciler.model.setups import BootPart, BootPod
from reconciler.nodes.boot.container import pod_record
from reconciler.prober.boot_pods import Raiser
from reconciler.prober.docker import Docker, DockerError

POD = BootPod(
    "u1",
    (
        BootPart("first", "init", "OnFailure"),
        BootPart("side", "sidecar", "Always"),
        BootPart("main", "main", "Always"),
    ),
    "POD",
)


class Host(Docker):
    """Containers by name: whether they run, since which moment, and how they ended."""

    def __init__(self, **states: str) -> None:
        super().__init__("/nowhere")
        self.clock = 10
        self.found = {name: self._made(state) for name, state in states.items()}
        self.done: list[str] = []
        self.fails: dict[str, int] = {}
        """How often a container is still to end badly."""
        self.refused: set[str] = set()

    def _made(self, state: str) -> dict[str, Any]:
        """`running@5`, `exited@5:255`, with another restart policy after a blank."""
        state, _, policy = state.partition(" ")
        status, _, rest = state.partition("@")
        moment, _, code = rest.partition(":")
        return {
            "Config": {"Labels": {"reconciler.dev/cluster": "shop", "reconciler.dev/uid": "u1"}},
            "HostConfig": {"RestartPolicy": {"Name": policy or "unless-stopped"}},
            "State": {"Status": status, "StartedAt": f"{moment:0>3}Z", "ExitCode": int(code or 0)},
        }

    async def inspect(self, container: str) -> dict[str, Any] | None:
        return self.found.get(container)

    async def start(self, container: str) -> None:
        if container in self.refused:
            raise DockerError("bind source path does not exist", 400)
        self.done.append(container)
        self.clock += 1
        self.found[container]["State"] |= {"Status": "running", "StartedAt": f"{self.clock:03}Z"}

    async def wait(self, container: str, seconds: float) -> int:
        code = 1 if self.fails.get(container, 0) else 0
        self.fails[container] = max(0, self.fails.get(container, 0) - 1)
        self.found[container]["State"] |= {"Status": "exited", "ExitCode": code}
        return code

    async def stop(self, container: str, grace: float) -> None:
        self.done.append(f"stop {container}")
        self.found[container]["State"]["Status"] = "exited"

    async def restart(self, container: str, grace: float) -> None:
        await self.start(container)

    async def restart_by_itself(self, container: str, policy: str) -> None:
        self.done.append(f"{container} {policy}")

    async def begin_exec(self, container: str, command: tuple[str, ...]) -> str:
        self.done.append(" ".join((container, *command)))
        return "exec"

    async def run_exec(self, exec_id: str, most: int) -> tuple[int, bytes]:
        return 0, b""


def raised(host: Host, directory: Path, *pods: BootPod, attended: bool = False) -> list[str]:
    for pod in pods:
        (directory / f"{pod.uid}.json").write_text(pod_record(pod))
    asyncio.run(Raiser(host, "shop", directory, lambda: attended).raise_all())
    return host.done


def lone(state: str, restarts: RestartPolicy = "Always", **more: Any) -> tuple[Host, BootPod]:
    return Host(main=state), BootPod("u1", (BootPart("main", "main", restarts, **more),))


def test_a_pod_begins_anew_in_its_new_sandbox_init_containers_first(tmp_path: Path) -> None:
    host = Host(POD="exited@1:255", first="exited@2", side="exited@3:255", main="exited@4:255")
    assert raised(host, tmp_path, POD) == ["POD", "first", "side", "main"]
    assert raised(host, tmp_path, POD) == host.done, "what is there stays as it is"


def test_what_docker_has_started_in_the_new_sandbox_is_left_alone(tmp_path: Path) -> None:
    host = Host(POD="running@5", first="exited@6", side="running@7", main="running@8")
    assert raised(host, tmp_path, POD) == []


def test_what_docker_has_started_before_the_init_containers_waits_for_them(tmp_path: Path) -> None:
    host = Host(POD="running@5", first="exited@2", side="exited@3:255", main="running@7")
    assert raised(host, tmp_path, POD) == ["stop main", "first", "side", "main"]


def test_what_runs_in_the_network_of_the_sandbox_before_joins_the_present_one(tmp_path: Path) -> None:
    host = Host(POD="running@5", first="exited@6", side="running@7", main="running@4")
    assert raised(host, tmp_path, POD) == ["main"]


def test_an_init_container_is_run_until_it_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.prober.boot_pods._FIRST_PAUSE", 0.0)
    host = Host(POD="exited@1:255", first="exited@2", side="exited@3:255", main="exited@4:255")
    host.fails["first"] = 2
    assert raised(host, tmp_path, POD) == ["POD", "first", "first", "first", "side", "main"]


def test_a_pod_whose_sandbox_or_init_container_is_gone_waits_for_a_master(tmp_path: Path) -> None:
    assert raised(Host(main="exited@4:255"), tmp_path, POD) == []
    host = Host(POD="exited@1:255", side="exited@3:255", main="exited@4:255")
    assert raised(host, tmp_path, POD) == ["POD"]


def test_one_main_container_that_cannot_start_keeps_no_other_one_from_it(tmp_path: Path) -> None:
    pod = BootPod("u1", (BootPart("secret", "main", "Always"), BootPart("main", "main", "Always")), "POD")
    host = Host(POD="exited@1:255", secret="exited@2:255", main="exited@2:255")
    host.refused.add("secret")
    assert raised(host, tmp_path, pod) == ["POD", "main"]


def test_a_container_that_had_crashed_again_and_again_is_docker_s_to_restart_now(tmp_path: Path) -> None:
    host, pod = lone("exited@4:255 no")
    assert raised(host, tmp_path, pod) == ["main unless-stopped", "main"]


@pytest.mark.parametrize(("state", "started"), [("exited@4:0", []), ("exited@4:255", ["main"])])
def test_what_has_done_its_work_is_not_started_again(tmp_path: Path, state: str, started: list[str]) -> None:
    host, pod = lone(state, "OnFailure")
    assert raised(host, tmp_path, pod) == started


def test_a_hook_follows_its_start(tmp_path: Path) -> None:
    host, pod = lone("exited@4:255 no", post_start=RunCommand(("hello",)))
    assert raised(host, tmp_path, pod) == ["main", "main hello"]


def test_with_a_master_there_or_a_container_of_another_pod_nothing_is_done(tmp_path: Path) -> None:
    host, pod = lone("exited@4:255")
    assert raised(host, tmp_path, pod, attended=True) == []
    host.found["main"]["Config"]["Labels"]["reconciler.dev/uid"] = "u2"
    assert raised(host, tmp_path, pod) == []


def test_a_record_that_cannot_be_read_hinders_no_other(tmp_path: Path) -> None:
    host, pod = lone("exited@4:255")
    (tmp_path / "a.json").write_text("{")
    assert raised(host, tmp_path, pod) == ["main"]
