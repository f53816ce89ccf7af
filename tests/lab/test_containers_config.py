"""A pod spec as Docker makes it: what is seen from inside a container that was created from a ContainerConfig."""

from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import pytest
from msgspec.structs import replace

from reconciler.lab import Host, Lab
from reconciler.model.api.cluster import ClusterSpec, PodLimits
from reconciler.model.api.core.container import (
    Capabilities,
    Container,
    ContainerPort,
    Lifecycle,
    ResourceRequirements,
    SeccompProfile,
    SecurityContext,
)
from reconciler.model.api.core.env import EnvVar
from reconciler.model.api.core.pod import (
    HostAlias,
    PodDNSConfig,
    PodDNSConfigOption,
    PodSecurityContext,
    PodSpec,
    Sysctl,
)
from reconciler.model.api.core.volume import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    PersistentVolumeClaimVolumeSource,
    Volume,
    VolumeMount,
)
from reconciler.model.container_config import ClaimMount, ContainerConfig, HostMount, NfsMount
from reconciler.model.memory import PodIntent
from reconciler.model.names import LABEL_CLAIM, LABEL_CLUSTER, POD_NETWORK
from reconciler.model.operations import CreateContainer, RemoveContainer
from reconciler.model.quantities import Quantity
from reconciler.nodes.docker.create_request import create_request
from reconciler.planning.kubelet.container_config import container_config, has_sandbox, sandbox_config
from tests.node_host import CLUSTER, connect, node_of, sandbox, set_up
from tests.simulated import desired

STAY = ("sh", "-c", "exec /bin/pause")
UID = "01234567-89ab-5cde-a012-3456789abcde"
INTENT = PodIntent(UID, "default", "web-1", "node-000", "h", "r1", "10.244.9.2")
SPEC = ClusterSpec(pod_limits=PodLimits(50))
WANTED = desired(nodes=1, cluster=replace(SPEC, images=replace(SPEC.images, pause="lab/pause:1")))
MEMORY, DISK = f"/run/reconciler/lab/pods/{UID}", f"/var/lib/reconciler/lab/pods/{UID}"


class Machine:
    """One engine, asked directly, and what is seen from inside its containers."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.api: Any = docker.APIClient(base_url=f"unix://{host.docker_socket}", version="1.41", timeout=30)

    def create(self, config: ContainerConfig) -> str:
        """Returns the container's name, for the rest of the test."""
        url = f"{self.api.base_url}/v1.41/containers/create"
        reply = self.api.post(url, params={"name": config.name}, json=create_request(config), timeout=30)
        assert reply.status_code == 201, reply.text
        assert not reply.json()["Warnings"]
        return config.name

    def run(self, spec: PodSpec, intent: PodIntent = INTENT) -> list[str]:
        """The names of its containers, without the sandbox's."""
        configs = [sandbox_config(intent, spec, WANTED)] if has_sandbox(spec) else []
        configs += [container_config(intent, spec, container, WANTED) for container in spec.containers]
        for config in configs:
            self.api.start(self.create(config))
        return [config.name for config in configs][-len(spec.containers) :]

    def inside(self, container: str, script: str) -> str:
        return self.host.docker("exec", container, "sh", "-c", script).stdout.strip()

    def fails(self, container: str, script: str) -> bool:
        return self.host.docker("exec", container, "sh", "-c", script, check=False).returncode != 0

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.inspect_container(container)
        return found


@pytest.fixture
def machine(lab: Lab) -> Iterator[Machine]:
    machine = Machine(lab.nodes[0])
    machine.host.docker("network", "create", "--subnet", "10.244.9.0/24", POD_NETWORK)
    yield machine
    for found in machine.api.containers(all=True):
        machine.api.remove_container(found["Id"], force=True, v=True)
    machine.host.docker("network", "rm", POD_NETWORK)
    machine.host.docker("volume", "rm", "lab_default_store", check=False)
    machine.api.close()


def container(name: str = "app", **fields: Any) -> Container:
    return Container(name, "lab/busybox:1", command=STAY, **fields)


def test_who_it_is_and_what_it_may_do(machine: Machine) -> None:
    own = SecurityContext(
        run_as_user=1000,
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=Capabilities(("NET_BIND_SERVICE",), ("ALL",)),
    )
    pod = PodSecurityContext(run_as_group=2000, fs_group=3000, supplemental_groups=(4000,))
    (app,) = machine.run(PodSpec((container(security_context=own),), security_context=pod))
    assert machine.inside(app, "id -u; id -g; id -G").split("\n") == ["1000", "2000", "2000 3000 4000"]
    status = dict(line.split(":\t", 1) for line in machine.inside(app, "cat /proc/1/status").splitlines())
    assert status["CapBnd"].strip() == f"{1 << 10:016x}"
    assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip()) == ("1", "2")
    assert machine.fails(app, "touch /tmp/file")
    assert machine.fails(app, "touch /etc/hosts")


def test_rights_that_are_given(machine: Machine) -> None:
    free = SecurityContext(
        seccomp_profile=SeccompProfile("Unconfined"), capabilities=Capabilities(("NET_ADMIN", "CAP_SYS_TIME"))
    )
    (app,) = machine.run(PodSpec((container(security_context=free),)))
    status = dict(line.split(":\t", 1) for line in machine.inside(app, "cat /proc/1/status").splitlines())
    assert int(status["CapBnd"], 16) & (1 << 12)
    assert int(status["CapBnd"], 16) & (1 << 25)
    assert status["Seccomp"].strip() == "0"


def test_its_limits(machine: Machine) -> None:
    limits = {"cpu": Quantity.parse("64"), "memory": Quantity.parse("32Mi")}
    (app,) = machine.run(PodSpec((container(resources=ResourceRequirements(limits=limits)),)))
    host = machine.inspect(app)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (32 << 20, 32 << 20, 50)
    # The 51st process is refused, and the container lives on.
    assert machine.fails(app, "set -e; for n in $(seq 60); do sleep 5 & done")
    assert machine.inspect(app)["State"]["Running"]
    # Twice its memory: killed, swap or not.
    eating = "x=0123456789abcdef; for n in $(seq 22); do x=$x$x; done"
    assert machine.fails(app, eating)


def test_who_asked_for_nothing_comes_last(machine: Machine) -> None:
    (app,) = machine.run(PodSpec((container(),)))
    assert machine.inside(app, "cat /proc/1/oom_score_adj") == "1000"


def test_the_names_of_a_pod_of_several_containers(machine: Machine) -> None:
    spec = PodSpec(
        (container("one"), container("two")),
        hostname="db",
        subdomain="data",
        host_aliases=(HostAlias("10.0.0.9", ("store", "store.example")),),
        dns_config=PodDNSConfig(searches=("one.example",), options=(PodDNSConfigOption("ndots", "2"),)),
        security_context=PodSecurityContext(sysctls=(Sysctl("net.ipv4.ip_unprivileged_port_start", "7"),)),
    )
    for name in machine.run(spec):
        assert machine.inside(name, "hostname") == "db"
        assert machine.inside(name, "echo $HOSTNAME") == "db"
        hosts = [line.split() for line in machine.inside(name, "cat /etc/hosts").splitlines()]
        assert ["10.244.9.2", "db.data.default.svc.cluster.local", "db"] in hosts
        assert ["10.0.0.9", "store.example"] in hosts
        resolving = machine.inside(name, "cat /etc/resolv.conf")
        assert "search default.svc.cluster.local svc.cluster.local cluster.local one.example" in resolving
        assert "ndots:2" in resolving
        assert machine.inside(name, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start") == "7"


def test_a_name_in_full(machine: Machine) -> None:
    spec = PodSpec((container(),), hostname="db", subdomain="data", set_hostname_as_fqdn=True)
    (app,) = machine.run(spec)
    assert machine.inside(app, "hostname") == "db.data.default.svc.cluster.local"


def test_what_several_containers_share(machine: Machine) -> None:
    one, two = machine.run(PodSpec((container("one"), container("two"))))
    machine.inside(one, "echo told > /dev/shm/note")
    assert machine.inside(two, "cat /dev/shm/note") == "told"
    assert machine.inside(two, "ps -o args | grep -c '[p]ause'") == "1"


def test_shared_processes(machine: Machine) -> None:
    one, _two = machine.run(PodSpec((container("one"), container("two")), share_process_namespace=True))
    assert machine.inside(one, "ps -o args | grep -c '[p]ause'") == "3"


def test_namespaces_of_the_host(machine: Machine) -> None:
    spec = PodSpec(
        (container("one"), container("two")),
        host_network=True,
        host_pid=True,
        host_ipc=True,
        host_aliases=(HostAlias("10.0.0.9", ("store",)),),
        dns_policy="None",
        dns_config=PodDNSConfig(nameservers=("10.0.0.2",)),
    )
    for name in machine.run(spec):
        assert machine.inside(name, "hostname") == machine.host.name
        assert machine.host.address in machine.inside(name, "ip addr")
        assert "store" in machine.inside(name, "cat /etc/hosts")
        assert machine.inside(name, "cat /etc/resolv.conf").split() == ["nameserver", "10.0.0.2"]
        assert "dockerd" in machine.inside(name, "ps -o args")


def test_a_port_at_one_address_of_the_host(machine: Machine) -> None:
    ports = (ContainerPort(8080, host_port=18080, host_ip="127.0.0.1"),)
    (app,) = machine.run(PodSpec((Container("app", "lab/web:1.0", ports=ports),)))
    assert machine.inspect(app)["NetworkSettings"]["Ports"]["8080/tcp"] == [
        {"HostIp": "127.0.0.1", "HostPort": "18080"}
    ]


def test_volumes(machine: Machine) -> None:
    machine.host.run(["mkdir", "-p", f"{MEMORY}/conf", f"{DISK}/tmp"])
    machine.host.run(["sh", "-c", f"echo blue > {MEMORY}/conf/colour"])
    mounts = (
        VolumeMount("conf", "/etc/conf"),
        VolumeMount("tmp", "/work"),
        VolumeMount("store", "/bin", sub_path=""),
        VolumeMount("store", "/read", read_only=True),
    )
    volumes = (
        Volume("conf", config_map=ConfigMapVolumeSource("web")),
        Volume("tmp", empty_dir=EmptyDirVolumeSource()),
        Volume("store", persistent_volume_claim=PersistentVolumeClaimVolumeSource("store")),
    )
    # The claim lies over a directory of the image that is not empty: nothing of it is copied.
    hidden = replace(container(volume_mounts=(mounts[2],)), name="hidden")
    shown = container(volume_mounts=(*mounts[:2], mounts[3]))
    spec = PodSpec((shown, hidden), volumes=volumes)
    machine.api.start(machine.create(sandbox_config(INTENT, spec, WANTED)))
    machine.create(container_config(INTENT, spec, hidden, WANTED))
    app = machine.create(container_config(INTENT, spec, shown, WANTED))
    machine.api.start(app)
    assert machine.inside(app, "cat /etc/conf/colour") == "blue"
    assert machine.fails(app, "echo red > /etc/conf/colour")
    machine.inside(app, "echo note > /work/note")
    assert machine.host.run(["cat", f"{DISK}/tmp/note"]).stdout == "note\n"
    assert machine.inside(app, "ls /read") == ""
    assert machine.fails(app, "touch /read/file")
    assert machine.api.inspect_volume("lab_default_store")["Labels"][LABEL_CLAIM] == "store"


@pytest.mark.parametrize(("group", "expected"), [(None, "777 0"), (3000, "2777 3000")])
def test_a_claim_can_be_written_by_whoever_a_pod_runs_as(lab: Lab, group: int | None, expected: str) -> None:
    machine = lab.nodes[0]
    labels = {LABEL_CLUSTER: CLUSTER, LABEL_CLAIM: "open"}
    mounts = (ClaimMount("contract_default_open", "/data", labels, group=group),)
    with set_up(connect(node_of(lab), lab)) as host:
        for _ in range(2):
            assert host.do("u1", CreateContainer(sandbox(mounts=mounts))).failed is None
            assert host.do("u1", RemoveContainer("web_POD", "u1")).failed is None
        place = machine.docker(
            "volume", "inspect", "-f", "{{.Mountpoint}}", "contract_default_open"
        ).stdout.strip()
        assert machine.run(["stat", "-c", "%a %g", place]).stdout.strip() == expected
        # What somebody changed later stays.
        machine.run(["chmod", "0700", place])
        assert host.do("u1", CreateContainer(sandbox(mounts=mounts))).failed is None
        assert machine.run(["stat", "-c", "%a", place]).stdout.strip().endswith("700")
        assert host.do("u1", RemoveContainer("web_POD", "u1")).failed is None
    machine.docker("volume", "rm", "contract_default_open")


def test_what_is_not_there_is_never_made(machine: Machine) -> None:
    config = container_config(INTENT, PodSpec((container(),)), container(), WANTED)
    request = create_request(replace(config, mounts=(HostMount("/srv/absent", "/data"),)))
    reply = machine.api.post(f"{machine.api.base_url}/v1.41/containers/create", json=request, timeout=30)
    assert reply.status_code == 400
    assert "bind source path does not exist: /srv/absent" in reply.text
    assert machine.host.run(["ls", "/srv/absent"], check=False).returncode != 0


def test_nfs_goes_with_its_container(machine: Machine) -> None:
    config = container_config(INTENT, PodSpec((container(),)), container(), WANTED)
    name = machine.create(replace(config, mounts=(NfsMount("10.0.0.7", "/export", "/data"),)))
    (mount,) = machine.inspect(name)["Mounts"]
    assert machine.api.inspect_volume(mount["Name"])["Options"]["o"] == "addr=10.0.0.7,nfsvers=4,rw"
    machine.api.remove_container(name, v=True)
    with pytest.raises(docker.errors.NotFound):
        machine.api.inspect_volume(mount["Name"])


def test_signals_variables_and_terminals(machine: Machine) -> None:
    app = container(
        env=(EnvVar("A", "x"), EnvVar("B", "$(A)y")),
        lifecycle=Lifecycle(stop_signal="SIGQUIT"),
        tty=True,
        stdin=True,
    )
    (name,) = machine.run(PodSpec((app,)))
    assert machine.inside(name, "echo $B") == "xy"
    config = machine.inspect(name)["Config"]
    assert (config["StopSignal"], config["Tty"], config["OpenStdin"]) == ("SIGQUIT", True, True)
    assert config["Healthcheck"]["Test"] == ["NONE"]
