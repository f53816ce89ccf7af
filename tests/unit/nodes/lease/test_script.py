"""The script that keeps a host's lease, run here by the shell itself, with directories of its own."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.model.leases import Claim, HostLease
from reconciler.model.names import disk_directory, lease_directory, memory_directory
from reconciler.nodes.lease.script import lease_command, look_command, marked, read_lease

FIRST = Claim("first", 1, "me@here (reconciler run, pid 7)", process="boot/7/1")
SECOND = Claim("second", 2, "you@there")


class Machine:
    def __init__(self, directory: Path) -> None:
        self.cluster = f"a.{secrets.token_hex(4)}"
        self.disk, self.memory = directory / "disk", directory / "memory"

    def here(self, command: Sequence[str]) -> list[str]:
        places = {disk_directory(self.cluster): str(self.disk), lease_directory(self.cluster): str(self.memory)}
        return [
            next((word.replace(a, b) for a, b in places.items() if word.startswith(a)), word) for word in command
        ]

    def run(self, verb: str, claim: Claim) -> tuple[str, HostLease | None]:
        command = self.here(lease_command(verb, self.cluster, claim))
        answer, *lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return answer, read_lease(lines)

    def take(self, claim: Claim) -> bool:
        answer, lease = self.run("take", claim)
        assert answer in ("granted", "refused")
        assert lease is not None
        assert lease.is_held_by(claim) == (answer == "granted")
        return answer == "granted"

    def look(self) -> HostLease | None:
        done = subprocess.run(self.here(look_command(self.cluster)), capture_output=True, text=True, check=False)
        return read_lease(done.stdout.splitlines()[1:])

    def prove(self, claim: Claim, *program: str) -> "subprocess.Popen[str]":
        command = marked(self.cluster, claim, lease_command("prove", self.cluster, claim, program))
        return subprocess.Popen(
            self.here(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_it_is_taken_renewed_refused_to_others_and_released(machine: Machine) -> None:
    assert machine.look() is None
    assert machine.take(FIRST)
    lease = machine.look()
    assert lease is not None
    assert (lease.owner, lease.epoch, lease.holder, lease.process) == ("first", 1, FIRST.holder, "boot/7/1")
    assert 10 < lease.seconds <= 15
    assert not machine.take(SECOND)
    assert machine.take(FIRST), "to ask again is no harm"
    assert machine.run("renew", replace(FIRST, seconds=100.0))[0] == "granted"
    renewed = machine.look()
    assert renewed is not None
    assert renewed.seconds > 80
    assert machine.run("renew", SECOND)[0] == ""
    machine.run("release", SECOND)
    assert not machine.take(SECOND)
    machine.run("release", FIRST)
    released = machine.look()
    assert released is not None
    assert (released.live, released.released, released.epoch) == (False, True, 1)
    assert machine.take(SECOND)


def test_an_epoch_that_is_not_higher_is_refused_whatever_is_asked(machine: Machine) -> None:
    assert machine.take(replace(FIRST, epoch=5))
    machine.run("release", replace(FIRST, epoch=5))
    for epoch in (1, 4, 5):
        assert not machine.take(replace(SECOND, epoch=epoch, take_over=True))
    assert machine.take(replace(SECOND, epoch=6))


def test_one_that_ran_out_is_free_and_one_that_lives_is_taken_only_on_purpose(machine: Machine) -> None:
    assert machine.take(FIRST)
    assert not machine.take(SECOND)
    assert machine.run("renew", replace(FIRST, seconds=0.5))[0] == "granted"
    deadline = time.monotonic() + 20
    while not machine.take(SECOND):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert machine.take(replace(FIRST, epoch=3, take_over=True))


@pytest.mark.fault(78)
def test_who_takes_it_ends_all_that_acts_for_the_holder_before_children_too_and_nothing_else(
    machine: Machine,
) -> None:
    assert machine.take(FIRST)
    shell = machine.prove(FIRST, "sh", "-c", "sleep 300 & echo $!; wait")
    assert first_line(shell) == "+"
    child = int(first_line(shell))
    other = Machine(machine.disk.parent / "other")
    assert other.take(FIRST)
    bystander = other.prove(FIRST, "cat")
    assert first_line(bystander) == "+"
    try:
        assert machine.take(FIRST)
        assert shell.poll() is None, "its own are left alone"
        assert machine.take(replace(SECOND, take_over=True))
        assert shell.wait(10) == -9
        assert not _runs(child)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        for process in (shell, bystander):
            process.communicate()
    late = machine.prove(FIRST, "touch", str(machine.disk / "done"))
    out, _ = late.communicate()
    answer, *lines = out.splitlines()
    assert answer == "-"
    lease = read_lease(lines)
    assert lease is not None
    assert lease.holder == "you@there"
    assert not (machine.disk / "done").exists()


def test_what_is_proved_is_the_program_with_the_words_it_was_given(machine: Machine) -> None:
    assert machine.take(FIRST)
    program = machine.prove(FIRST, "printf", "%s|", "a b", "$(id)", "", "'")
    assert program.communicate()[0] == "+\na b|$(id)||'|"
    assert program.returncode == 0


def test_its_epoch_outlives_a_boot_and_the_loss_of_either_directory(machine: Machine) -> None:
    assert machine.take(replace(FIRST, epoch=7))
    for lost in (machine.memory, machine.disk):
        shutil.rmtree(lost)
        assert not machine.take(replace(SECOND, epoch=7, take_over=True))
        assert machine.take(replace(FIRST, epoch=7))


def test_a_disk_that_takes_no_file_keeps_nobody_from_leading(machine: Machine) -> None:
    machine.disk.parent.mkdir(exist_ok=True)
    machine.disk.write_text("no directory")
    assert machine.take(FIRST)
    assert machine.run("renew", FIRST)[0] == "granted"
    assert machine.take(replace(SECOND, take_over=True))
    assert machine.run("renew", FIRST)[0] == ""


@pytest.mark.parametrize("nonsense", ["", "\n", "x y z", "1", "-1 a 5 b", "99999 first", "1 $(id) x y z w"])
def test_what_makes_no_sense_is_no_lease(machine: Machine, nonsense: str) -> None:
    machine.memory.mkdir(parents=True)
    (machine.memory / "lease").write_text(nonsense)
    assert machine.look() is None
    assert machine.take(FIRST)


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()


def test_nothing_that_is_mounted_for_pods_hides_a_lease() -> None:
    assert not lease_directory("shop").startswith(f"{memory_directory('shop')}/")
    assert not lease_directory("shop").startswith(f"{disk_directory('shop')}/")


def test_nobody_but_root_can_open_the_lock_and_hold_it(machine: Machine) -> None:
    assert machine.take(FIRST)
    assert machine.memory.stat().st_mode & 0o777 == 0o700
    program = machine.prove(FIRST, "sh", "-c", "umask")
    said, _ = program.communicate(timeout=20)
    own = subprocess.run(["sh", "-c", "umask"], capture_output=True, text=True, check=True).stdout
    assert said == f"+\n{own}"
