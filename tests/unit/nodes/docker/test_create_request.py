"""The create request: everything a ContainerConfig fixes reaches Docker, and nothing else does."""

import json
from typing import Any

import msgspec
import pytest

from reconciler.model.container_config import (
    ClaimMount,
    ContainerConfig,
    HostMount,
    HostNetwork,
    Mount,
    NfsMount,
    PodAddress,
    PublishedPort,
    SharedNetwork,
)
from reconciler.model.secrets import SecretText
from reconciler.nodes.docker.create_request import create_request

SANDBOX = ContainerConfig(
    name="web_POD",
    image="pause:1",
    labels={"reconciler.dev/uid": "u1"},
    network=PodAddress("10.244.1.2"),
    hostname="web-1",
    domain="sub.default.svc.cluster.local",
    ports=(PublishedPort(8080, 80, host_ip="10.0.0.5"), PublishedPort(53, 0, "UDP")),
    ipc="shareable",
    sysctls={"net.core.somaxconn": "1024"},
    extra_hosts=("db:10.0.0.9",),
    dns_servers=("10.0.0.2",),
    dns_searches=("example.org",),
    dns_options=("ndots:2",),
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
    domain="ignored",
    extra_hosts=("ignored:10.0.0.1",),
    dns_servers=("10.0.0.1",),
    stop_signal="SIGQUIT",
    stop_grace_seconds=7,
    cpu_shares=512,
    cpu_milli_limit=250,
    memory_limit_bytes=1 << 26,
    memory_request_bytes=1 << 25,
    pids_limit=100,
    oom_score_adj=-997,
    ipc="container:web_POD",
    pid="container:web_POD",
    user="1000:2000",
    groups=(3000, 4000),
    no_new_privileges=True,
    read_only_root=True,
    cap_add=("NET_ADMIN",),
    cap_drop=("ALL",),
    unconfined=True,
    stdin=True,
    stdin_once=True,
    tty=True,
)


def host_part(config: ContainerConfig, **changes: Any) -> dict[str, Any]:
    host: dict[str, Any] = create_request(msgspec.structs.replace(config, **changes))["HostConfig"]
    return host


def mounted(mount: Mount) -> dict[str, Any]:
    (one,) = host_part(APP, mounts=(mount,))["Mounts"]
    found: dict[str, Any] = one
    return found


def test_a_sandbox_gets_its_address_its_name_and_its_ports() -> None:
    request = create_request(SANDBOX)
    assert (request["Hostname"], request["Domainname"]) == ("web-1", "sub.default.svc.cluster.local")
    assert request["NetworkingConfig"]["EndpointsConfig"] == {
        "reconciler": {"IPAMConfig": {"IPv4Address": "10.244.1.2"}, "MacAddress": "02:42:0a:f4:01:02"}
    }
    host = request["HostConfig"]
    assert (host["NetworkMode"], host["IpcMode"]) == ("reconciler", "shareable")
    assert request["ExposedPorts"] == {"8080/tcp": {}, "53/udp": {}}
    assert host["PortBindings"] == {"8080/tcp": [{"HostIp": "10.0.0.5", "HostPort": "80"}]}
    assert host["Sysctls"] == {"net.core.somaxconn": "1024"}
    assert (host["ExtraHosts"], host["Dns"]) == (["db:10.0.0.9"], ["10.0.0.2"])
    assert (host["DnsSearch"], host["DnsOptions"]) == (["example.org"], ["ndots:2"])


def test_a_container_of_a_pod_shares_its_sandbox_and_names_no_host_and_no_port() -> None:
    request = create_request(APP)
    host = request["HostConfig"]
    assert host["NetworkMode"] == host["IpcMode"] == host["PidMode"] == "container:web_POD"
    assert not {"Hostname", "Domainname", "NetworkingConfig", "ExposedPorts"} & request.keys()
    assert not {"ExtraHosts", "Dns", "PortBindings"} & host.keys()
    assert (request["Entrypoint"], request["Cmd"], request["WorkingDir"]) == (
        ["/bin/web"],
        ["--port", "8080"],
        "/srv",
    )
    assert (request["StopSignal"], request["StopTimeout"]) == ("SIGQUIT", 7)
    assert [request[field] for field in ("OpenStdin", "StdinOnce", "Tty")] == [True] * 3


def test_on_its_hosts_network_it_has_no_address_and_no_published_port() -> None:
    request = create_request(
        msgspec.structs.replace(SANDBOX, network=HostNetwork("10.0.0.1"), hostname="", domain="")
    )
    assert request["HostConfig"]["NetworkMode"] == "host"
    assert not {"Hostname", "NetworkingConfig", "ExposedPorts"} & request.keys()
    assert request["HostConfig"]["ExtraHosts"] == ["db:10.0.0.9"]
    assert "PortBindings" not in request["HostConfig"]


def test_limits_are_in_dockers_units() -> None:
    host = host_part(APP)
    assert (host["CpuPeriod"], host["CpuQuota"], host["CpuShares"]) == (100_000, 25_000, 512)
    assert (host["Memory"], host["MemoryReservation"]) == (1 << 26, 1 << 25)
    assert (host["PidsLimit"], host["OomScoreAdj"]) == (100, -997)


def test_a_memory_limit_cannot_be_passed_by_swapping() -> None:
    host = host_part(APP)
    assert host["MemorySwap"] == host["Memory"]


def test_more_cpu_than_a_host_has_may_be_the_limit() -> None:
    assert host_part(APP, cpu_milli_limit=64_000)["CpuQuota"] == 6_400_000
    assert "NanoCpus" not in host_part(APP, cpu_milli_limit=64_000)


def test_the_smallest_cpu_limit_is_what_the_kernel_takes() -> None:
    assert host_part(APP, cpu_milli_limit=1)["CpuQuota"] == 1000


def test_rights() -> None:
    request = create_request(APP)
    host = request["HostConfig"]
    assert (request["User"], host["GroupAdd"]) == ("1000:2000", ["3000", "4000"])
    assert (host["CapAdd"], host["CapDrop"]) == (["NET_ADMIN"], ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges:true", "seccomp=unconfined"]
    assert host["ReadonlyRootfs"] is True
    assert "Privileged" not in host
    assert host_part(APP, privileged=True)["Privileged"] is True


def test_a_path_of_the_host_is_never_made_by_docker() -> None:
    mount = mounted(HostMount("/srv/data", "/data", read_only=True))
    assert mount == {"Type": "bind", "Source": "/srv/data", "Target": "/data", "ReadOnly": True}
    assert "Binds" not in host_part(APP, mounts=(HostMount("/srv/data", "/data"),))


def test_a_claim_is_a_named_volume_with_labels_and_nothing_of_the_image_in_it() -> None:
    mount = mounted(ClaimMount("lab_default_data", "/data", {"reconciler.dev/claim": "data"}))
    assert (mount["Type"], mount["Source"], mount["ReadOnly"]) == ("volume", "lab_default_data", False)
    options = mount["VolumeOptions"]
    assert options["Labels"] == {"reconciler.dev/claim": "data"}
    assert options["NoCopy"] is True


def test_nfs_is_a_volume_without_a_name() -> None:
    mount = mounted(NfsMount("10.0.0.7", "/export/a", "/data", read_only=True))
    assert mount["Type"] == "volume"
    assert "Source" not in mount
    assert mount["VolumeOptions"]["DriverConfig"]["Options"] == {
        "type": "nfs",
        "o": "addr=10.0.0.7,nfsvers=4,ro",
        "device": ":/export/a",
    }


@pytest.mark.parametrize("mount", [HostMount("/a", "/b", sub_path="c"), ClaimMount("v", "/b", {}, sub_path="c")])
def test_a_sub_path_must_have_been_looked_up_on_the_host(mount: Mount) -> None:
    with pytest.raises(ValueError, match="/b"):
        mounted(mount)


def test_what_is_not_given_is_left_to_the_image() -> None:
    request = create_request(ContainerConfig("n", "i", {}, PodAddress("10.244.1.2")))
    assert request.keys() == {
        "Image",
        "Labels",
        "Env",
        "StopTimeout",
        "Healthcheck",
        "HostConfig",
        "NetworkingConfig",
    }
    assert request["HostConfig"].keys() == {"RestartPolicy", "NetworkMode", "LogConfig"}


def test_a_log_is_rotated_whatever_the_daemons_default_is() -> None:
    assert host_part(APP)["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-size": "10485760", "max-file": "5"},
    }


def test_the_health_check_of_an_image_is_off_as_in_kubernetes() -> None:
    assert create_request(APP)["Healthcheck"] == {"Test": ["NONE"]}


def test_a_secret_is_revealed_here_and_only_here() -> None:
    assert create_request(APP)["Env"] == ["PLAIN=a=b", "TOKEN=canary"]
    assert "canary" not in repr(APP)


def test_a_stopped_pod_does_not_return_with_the_next_boot() -> None:
    assert host_part(APP)["RestartPolicy"] == {"Name": "unless-stopped"}


def test_the_request_is_json() -> None:
    json.dumps(create_request(SANDBOX))
    json.dumps(create_request(APP))
