"""What a host that boots alone is given."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from reconciler.model.operations import MakeDirectory
from reconciler.model.setups import NodeNetwork, Route
from reconciler.nodes.boot.container import container_request, files_script, memory_script, pins_script
from reconciler.nodes.boot.keeper import _WRITE
from reconciler.nodes.boot.network import network_script
from reconciler.nodes.docker.text_tar import packed
from reconciler.nodes.network.overlay import OverlayResult
from reconciler.nodes.prober.container import container_request as prober_request

NETWORK = NodeNetwork("10.244.1.0/24", "10.244.0.0/16", (Route("10.244.2.0/24", "192.0.2.2"),), ("10.96.0.10",))
LAID = OverlayResult((), "", ip=("route replace 10.244.2.0/24 via 192.0.2.2 proto 82",), loose=("rcn-vx",))


def test_the_network_is_the_session_s_own_with_nothing_there_and_is_put_up_once() -> None:
    script = network_script(NETWORK, LAID, {"192.0.2.2"})
    lines = script.splitlines()
    assert lines.index("whole && exit 0") < lines.index("ip -force -batch - <<'.'")
    assert {"link add rcn-svc type bridge", "addr add 10.96.0.10/32 dev rcn-svc", *LAID.ip} <= set(lines)
    assert "-I DOCKER-USER -j RECONCILER-FWD" in lines
    assert ":DOCKER-USER - [0:0]" not in lines, "what is in Docker's own chain stays"
    assert lines[-1] == "whole", "tried again until all of it is there"


def test_every_script_is_one_that_sh_can_read() -> None:
    made = memory_script("shop", MakeDirectory("u1", "fast", memory=True, size_bytes=1 << 20, group=7))
    assert "set -- /run/reconciler/shop u1 fast size=1048576,mode=2777,gid=7,nosuid,nodev" in made
    for script in (network_script(NETWORK, LAID, ()), files_script("shop"), pins_script("shop"), made):
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_what_brings_a_host_up_sees_its_own_files_alone_and_cannot_write_them() -> None:
    binds = container_request("shop", "proxy:1")["HostConfig"]["Binds"]
    assert binds == [
        "/var/lib/reconciler/shop/boot:/etc/reconciler:ro",
        "/var/run/docker.sock:/var/run/docker.sock",
    ]


def test_what_a_session_that_was_ended_had_half_written_is_not_put_in_force_by_the_next(tmp_path: Path) -> None:
    def write(files: Mapping[str, str], *gone: str) -> None:
        command = ["sh", "-c", _WRITE, "sh", str(tmp_path / "shop/boot"), *gone]
        subprocess.run(command, input=packed(files), check=True)

    write({"files.sh": "one", "pods/left.json": "{}"})
    write({}, "pods/left.json")
    boot = tmp_path / "shop/boot"
    (boot / ".new/pods").mkdir(parents=True, exist_ok=True)
    (boot / ".new/pods/left.json").write_text("{}")
    (boot / ".new/files.sh").write_text("an older one")
    write({"pods/u1.json": "{}", "memory/u1.v.sh": "made"})
    assert sorted(path.name for path in (boot / "pods").iterdir()) == ["u1.json"]
    assert (boot / "files.sh").read_text() == "one"
    assert (boot / "memory/u1.v.sh").read_text() == "made"
    assert boot.stat().st_mode & 0o777 == 0o700


def test_the_files_of_a_full_host_fit_into_the_memory_of_what_writes_them() -> None:
    pods, configmap, each = 253, 1 << 20, 4
    assert container_request("shop", "proxy:1")["HostConfig"]["Memory"] > pods * configmap * each


def test_what_ends_hooks_and_probes_that_hang_may_signal_whoever_runs_them() -> None:
    for request in (container_request("shop", "proxy:1"), prober_request("shop", "proxy:1")):
        assert request["HostConfig"]["PidMode"] == "host"
        assert "KILL" in request["HostConfig"]["CapAdd"]
