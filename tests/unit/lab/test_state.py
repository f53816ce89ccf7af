"""The lab's memory: what it has, on which network, and that one command at a time changes it."""

import json
from pathlib import Path

import pytest

from reconciler.lab import Lab, LabError, LabNode
from reconciler.lab.disk import daemon_json
from reconciler.lab.host import cgroup_parent
from reconciler.lab.network import Network, hardware_address
from reconciler.lab.state import LabState, locked, read_state, write_state

NODE = LabNode("node-1", 1, "10.80.0.11", 22, "ssh-ed25519 AAAA")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    write_state(tmp_path, LabState((NODE,), Network(80)))
    assert read_state(tmp_path) == LabState((NODE,), Network(80))
    assert Lab.open(tmp_path).node("node-1").address == "10.80.0.11"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"network": 77, "nodes": [{"name": "node-1"}]}'])
def test_a_damaged_file_is_an_error_that_tells_the_way_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(LabError, match=r"state\.json is damaged .*; remove it"):
        read_state(tmp_path)


def test_an_unknown_node_names_the_known_ones(tmp_path: Path) -> None:
    write_state(tmp_path, LabState((NODE,), Network(80)))
    with pytest.raises(LabError, match="no node 'node-9'; its nodes: node-1"):
        Lab.open(tmp_path).node("node-9")


def test_another_number_for_a_lab_that_is_there_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path, LabState((NODE,), Network(80)))
    with pytest.raises(LabError, match=r"has the network 10\.80\.0\.x"):
        Lab.open(tmp_path, 81)


def test_one_command_at_a_time_and_no_trace_of_the_lock(tmp_path: Path) -> None:
    directory = tmp_path / "lab"
    with (
        locked(directory),
        pytest.raises(LabError, match="another `reconciler lab` command"),
        locked(directory, 0.05),
    ):
        pass
    assert not directory.exists()
    with locked(directory):
        (directory / "kept").touch()
    assert (directory / "kept").exists()


def test_networks_with_different_numbers_share_no_name() -> None:
    first, second = Network(), Network(78)
    assert (first.switch, first.address_of(1), first.namespace_of("node-1")) == (
        "rcl-switch",
        "10.77.0.11",
        "rcl-node-1",
    )
    assert (second.switch, second.gateway) == ("rcl78-switch", "10.78.0.1")
    assert cgroup_parent(first, "node-1") == "/reconciler-lab-rcl/node-1"
    assert cgroup_parent(second, "") == "/reconciler-lab-rcl78"
    assert all(len(Network(255).uplink) < 16 for _ in "x")


def test_a_host_keeps_its_hardware_address() -> None:
    assert hardware_address("10.77.0.11") == "02:52:0a:4d:00:0b"


def test_dockerd_needs_no_systemd_and_bounds_its_logs() -> None:
    settings = json.loads(daemon_json({"bip": "172.17.1.1/24"}))
    assert settings["bip"] == "172.17.1.1/24"
    assert settings["exec-opts"] == ["native.cgroupdriver=cgroupfs"]
    assert settings["log-opts"]["max-size"] == "10m"
