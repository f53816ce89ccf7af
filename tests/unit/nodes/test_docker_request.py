"""The create request: everything a ContainerConfig fixes reaches Docker, and nothing else does."""

import json

from reconciler.model.operations import ContainerConfig, PodAddress, PublishedPort, SharedNetwork
from reconciler.model.secrets import SecretText
from reconciler.nodes.docker_request import create_request

SANDBOX = ContainerConfig(
    name="web_POD",
    image="pause:1",
    labels={"reconciler.dev/uid": "u1"},
    network=PodAddress("10.244.1.2"),
    hostname="web-1",
    ports=(PublishedPort(8080, 80), PublishedPort(53, 0, "UDP")),
)
APP = ContainerConfig(
    name="web_app",
    image="web:1",
    labels={},
    network=SharedNetwork("web_POD"),
    entrypoint=("/bin/web",),
    command=("--port", "8080"),
    env={"PLAIN": "a=b", "TOKEN": SecretText("canary")},
    working_dir="/srv",
    hostname="ignored",
    stop_signal="SIGQUIT",
    stop_grace_seconds=7,
    cpu_shares=512,
    cpu_milli_limit=250,
    memory_limit_bytes=1 << 26,
    memory_request_bytes=1 << 25,
)


def test_a_sandbox_gets_its_address_its_name_and_its_ports() -> None:
    request = create_request(SANDBOX)
    assert request["Hostname"] == "web-1"
    assert request["NetworkingConfig"]["EndpointsConfig"] == {
        "reconciler": {"IPAMConfig": {"IPv4Address": "10.244.1.2"}}
    }
    assert request["HostConfig"]["NetworkMode"] == "reconciler"
    assert request["ExposedPorts"] == {"8080/tcp": {}, "53/udp": {}}
    assert request["HostConfig"]["PortBindings"] == {"8080/tcp": [{"HostPort": "80"}]}


def test_a_container_of_a_pod_shares_its_sandbox_and_names_no_host_and_no_port() -> None:
    request = create_request(APP)
    assert request["HostConfig"]["NetworkMode"] == "container:web_POD"
    assert not {"Hostname", "NetworkingConfig", "ExposedPorts"} & request.keys()
    assert (request["Entrypoint"], request["Cmd"], request["WorkingDir"]) == (
        ["/bin/web"],
        ["--port", "8080"],
        "/srv",
    )
    assert (request["StopSignal"], request["StopTimeout"]) == ("SIGQUIT", 7)


def test_limits_are_in_dockers_units() -> None:
    host = create_request(APP)["HostConfig"]
    assert host["NanoCpus"] == 250_000_000
    assert (host["CpuShares"], host["Memory"], host["MemoryReservation"]) == (512, 1 << 26, 1 << 25)


def test_what_is_not_given_is_left_to_the_image() -> None:
    request = create_request(SANDBOX)
    assert not {"Cmd", "Entrypoint", "WorkingDir", "StopSignal"} & request.keys()
    assert not {"NanoCpus", "Memory"} & request["HostConfig"].keys()


def test_a_secret_is_revealed_here_and_only_here() -> None:
    assert create_request(APP)["Env"] == ["PLAIN=a=b", "TOKEN=canary"]
    assert "canary" not in repr(APP)


def test_a_stopped_pod_does_not_return_with_the_next_boot() -> None:
    assert create_request(APP)["HostConfig"]["RestartPolicy"] == {"Name": "unless-stopped"}


def test_the_request_is_json() -> None:
    json.dumps(create_request(SANDBOX))
