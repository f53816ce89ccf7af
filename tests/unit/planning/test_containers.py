"""A pod spec as containers: what they share, who they run as, how they are known, what they may do."""

from typing import Any

import pytest

from reconciler.model.api.cluster import ClusterSpec, PodLimits
from reconciler.model.api.core.config import Secret
from reconciler.model.api.core.container import (
    Capabilities,
    Container,
    ContainerPort,
    ExecAction,
    HTTPGetAction,
    HTTPHeader,
    Lifecycle,
    LifecycleHandler,
    SeccompProfile,
    SecurityContext,
    SleepAction,
)
from reconciler.model.api.core.pod import (
    HostAlias,
    LocalObjectReference,
    PodDNSConfig,
    PodDNSConfigOption,
    PodSecurityContext,
    PodSpec,
    Sysctl,
)
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.container_config import (
    ContainerConfig,
    HostNetwork,
    PodAddress,
    PublishedPort,
    SharedNetwork,
)
from reconciler.model.memory import PodIntent
from reconciler.model.names import LABEL_IP, Ref
from reconciler.model.operations import PullImage
from reconciler.model.probes import GetUrl, RunCommand, Wait
from reconciler.model.quantities import Quantity
from reconciler.model.secrets import SecretText
from reconciler.planning.kubelet.container_config import container_config, has_sandbox, pull_of, sandbox_config
from reconciler.planning.kubelet.lifecycle_hooks import hook_of
from tests.simulated import desired

UID = "01234567-89ab-5cde-a012-3456789abcde"
INTENT = PodIntent(
    UID, "default", "web-1", "node-000", "h", "r1", "10.244.0.2", Ref("Deployment", "default", "web")
)
SANDBOX = "lab_default_web-1_POD_01234567"
LOGIN = SecretText('{"auths": {}}')
WANTED = desired(
    Secret(ObjectMeta("login", "default"), {".dockerconfigjson": LOGIN}, "kubernetes.io/dockerconfigjson"),
    nodes=1,
    cluster=ClusterSpec(pod_limits=PodLimits(77, Quantity.parse("1Mi"), 3)),
)
APP = Container("app", "app:1")
OTHER = Container("other", "other:1")
INIT = Container("init", "init:1")
SIDECAR = Container("side", "side:1", restart_policy="Always")


def alone(container: Container = APP, **pod: Any) -> ContainerConfig:
    return container_config(INTENT, PodSpec((container,), **pod), container, WANTED)


def beside(container: Container = APP, **pod: Any) -> ContainerConfig:
    """The first container of a pod of two."""
    return container_config(INTENT, PodSpec((container, OTHER), **pod), container, WANTED)


def sandbox(*containers: Container, **pod: Any) -> ContainerConfig:
    return sandbox_config(INTENT, PodSpec(containers or (APP, OTHER), **pod), WANTED)


# --- what is shared -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (PodSpec((APP,)), False),
        (PodSpec((APP, OTHER)), True),
        (PodSpec((APP,), (INIT,)), True),
        (PodSpec((APP,), (SIDECAR,)), True),
        (PodSpec((APP,), share_process_namespace=True), True),
        (PodSpec((APP, OTHER), (INIT,), host_network=True), False),
        (PodSpec((APP, OTHER), host_network=True, share_process_namespace=True), True),
    ],
)
def test_who_needs_a_sandbox(spec: PodSpec, expected: bool) -> None:
    assert has_sandbox(spec) is expected


def test_a_lone_container_owns_the_address_and_the_name() -> None:
    made = alone()
    assert (made.network, made.hostname, made.ipc, made.pid) == (PodAddress("10.244.0.2"), "web-1", "", "")


def test_several_share_network_and_memory_but_not_processes() -> None:
    made = beside()
    assert (made.network, made.ipc, made.pid) == (SharedNetwork(SANDBOX), f"container:{SANDBOX}", "")
    assert (made.hostname, made.ports) == ("", ())
    assert (sandbox().ipc, sandbox().network, sandbox().hostname) == (
        "shareable",
        PodAddress("10.244.0.2"),
        "web-1",
    )


def test_processes_are_shared_where_the_pod_says_so() -> None:
    made = alone(share_process_namespace=True)
    assert (made.network, made.pid) == (SharedNetwork(SANDBOX), f"container:{SANDBOX}")


def test_namespaces_of_the_host() -> None:
    made = beside(host_pid=True, host_ipc=True)
    assert (made.pid, made.ipc) == ("host", "host")
    assert sandbox(host_ipc=True).ipc == "host"


def test_on_the_hosts_network_it_has_the_hosts_name_and_its_address_as_a_label() -> None:
    ports = (ContainerPort(80, host_port=80),)
    made = beside(
        Container("app", "app:1", ports=ports), host_network=True, host_aliases=(HostAlias("10.0.0.9", ("db",)),)
    )
    assert made.network == HostNetwork("node-000.example")
    assert (made.hostname, made.ports, made.ipc) == ("", (), "")
    assert made.labels[LABEL_IP] == "node-000.example"
    assert made.extra_hosts == ("db:10.0.0.9",)
    assert LABEL_IP not in alone().labels


def test_the_sandbox_publishes_the_ports_of_all() -> None:
    one = Container("one", "i", ports=(ContainerPort(80, host_port=8080, host_ip="10.0.0.5"), ContainerPort(81)))
    side = Container(
        "side", "i", ports=(ContainerPort(53, protocol="UDP", host_port=53),), restart_policy="Always"
    )
    made = sandbox(one, init_containers=(side,))
    assert made.ports == (PublishedPort(80, 8080, "tcp", "10.0.0.5"), PublishedPort(53, 53, "udp"))


def test_kernel_settings_are_made_by_whoever_owns_the_namespaces() -> None:
    security = PodSecurityContext(sysctls=(Sysctl("net.core.somaxconn", "1024"),))
    assert alone(security_context=security).sysctls == {"net.core.somaxconn": "1024"}
    assert beside(security_context=security).sysctls == {}
    assert sandbox(security_context=security).sysctls == {"net.core.somaxconn": "1024"}


# --- names --------------------------------------------------------------------------------------------------


def test_the_host_name() -> None:
    assert alone(hostname="db").hostname == "db"
    long = PodIntent(UID, "default", "a" * 62 + "-b", "node-000", "h", "r1", "10.244.0.2")
    spec = PodSpec((APP,))
    assert container_config(long, spec, APP, WANTED).hostname == "a" * 62


def test_the_domain() -> None:
    made = sandbox(hostname="db", subdomain="data")
    assert (made.hostname, made.domain) == ("db", "data.default.svc.cluster.local")
    full = sandbox(hostname="db", subdomain="data", set_hostname_as_fqdn=True)
    assert (full.hostname, full.domain) == ("db.data.default.svc.cluster.local", "")
    assert sandbox(hostname="db", set_hostname_as_fqdn=True).hostname == "db"


def test_names_that_a_pod_knows() -> None:
    aliases = (HostAlias("10.0.0.9", ("db", "db.example")), HostAlias("fd00::1", ("six",)))
    for made in (alone(host_aliases=aliases), sandbox(host_aliases=aliases)):
        assert made.extra_hosts == ("db:10.0.0.9", "db.example:10.0.0.9", "six:fd00::1")
    shared = beside(host_aliases=aliases)
    assert (shared.extra_hosts, shared.dns_servers) == ((), ())


SERVERS = ("10.96.0.10", "10.96.0.11")
SEARCHES = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")
OWN = PodDNSConfig(
    ("10.0.0.2",), ("example.org",), (PodDNSConfigOption("ndots", "2"), PodDNSConfigOption("rotate"))
)


def asks(made: ContainerConfig) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    return made.dns_servers, made.dns_searches, made.dns_options


def test_a_pod_asks_the_clusters_name_servers() -> None:
    for made in (alone(), sandbox()):
        assert asks(made) == (SERVERS, SEARCHES, ("ndots:5",))


def test_on_its_hosts_network_a_pod_asks_them_by_a_policy_of_its_own() -> None:
    assert asks(alone(host_network=True)) == ((), (), ())
    assert asks(alone(host_network=True, dns_policy="ClusterFirstWithHostNet")) == (
        SERVERS,
        SEARCHES,
        ("ndots:5",),
    )


def test_what_dns_config_names_is_added_to_the_clusters() -> None:
    assert asks(alone(dns_config=OWN)) == (
        (*SERVERS, "10.0.0.2"),
        (*SEARCHES, "example.org"),
        ("ndots:2", "rotate"),
    )


def test_what_dns_config_names_stands_alone_under_the_other_policies() -> None:
    for policy in ("Default", "None"):
        assert asks(alone(dns_policy=policy, dns_config=OWN)) == (
            ("10.0.0.2",),
            ("example.org",),
            ("ndots:2", "rotate"),
        )
    assert asks(alone(dns_policy="Default")) == ((), (), ())


def test_without_any_policy_no_domain_of_the_host_is_searched() -> None:
    assert alone(dns_policy="None", dns_config=PodDNSConfig(("10.0.0.2",))).dns_searches == (".",)


def test_what_is_over_kubernetes_limits_is_left_out_from_the_end() -> None:
    servers = tuple(f"10.0.0.{n}" for n in range(3))
    searches = tuple(f"d{n}.example.org" for n in range(32))
    made = alone(dns_config=PodDNSConfig(servers, searches))
    assert made.dns_servers == (*SERVERS, "10.0.0.0")
    assert made.dns_searches == (*SEARCHES, *searches[:29])
    long = tuple(f"{'a' * 63}.{'b' * 63}.{'c' * 63}.d{n}" for n in range(12))
    assert alone(dns_config=PodDNSConfig(searches=long)).dns_searches == (*SEARCHES, *long[:10])


# --- rights -------------------------------------------------------------------------------------------------


def secured(pod: PodSecurityContext | None = None, **own: Any) -> ContainerConfig:
    container = Container("app", "i", security_context=SecurityContext(**own))
    return alone(container, security_context=pod or PodSecurityContext())


def test_who_it_runs_as() -> None:
    assert secured().user == ""
    assert secured(run_as_user=0).user == "0"
    pod = PodSecurityContext(run_as_user=1000, run_as_group=2000)
    assert secured(pod).user == "1000:2000"
    assert secured(pod, run_as_user=5).user == "5:2000"
    assert secured(pod, run_as_user=0, run_as_group=0).user == "0:0"


def test_groups() -> None:
    assert secured(PodSecurityContext(supplemental_groups=(5, 6), fs_group=7)).groups == (5, 6, 7)
    assert secured(PodSecurityContext(supplemental_groups=(7, 6), fs_group=7)).groups == (7, 6)


def test_root_is_looked_for_on_the_host_where_the_manifest_does_not_tell() -> None:
    pod = PodSecurityContext(run_as_non_root=True)
    assert secured(pod).must_not_be_root
    assert not secured(pod, run_as_user=5).must_not_be_root
    assert secured(pod, run_as_user=0).must_not_be_root
    assert not secured(pod, run_as_non_root=False).must_not_be_root
    assert not secured().must_not_be_root


def test_what_it_may_do() -> None:
    made = secured(
        privileged=True,
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=Capabilities(("NET_ADMIN",), ("ALL",)),
    )
    assert (made.privileged, made.no_new_privileges, made.read_only_root) == (True, True, True)
    assert (made.cap_add, made.cap_drop) == (("NET_ADMIN",), ("ALL",))
    assert not secured(allow_privilege_escalation=True).no_new_privileges


def test_raw_packets_are_for_who_asks_for_them() -> None:
    assert secured().cap_drop == ("NET_RAW",)
    assert secured(capabilities=Capabilities(drop=("KILL",))).cap_drop == ("KILL", "NET_RAW")
    for keeps in (Capabilities(("NET_RAW",)), Capabilities(("ALL",)), Capabilities((), ("ALL",))):
        assert secured(capabilities=keeps).cap_drop == keeps.drop
    assert secured(privileged=True).cap_drop == ()


def test_the_filter_of_system_calls() -> None:
    assert not secured().unconfined
    pod = PodSecurityContext(seccomp_profile=SeccompProfile("Unconfined"))
    assert secured(pod).unconfined
    assert not secured(pod, seccomp_profile=SeccompProfile("RuntimeDefault")).unconfined


# --- running ------------------------------------------------------------------------------------------------


def policy(container: Container, **pod: Any) -> str:
    inits = tuple(one for one in (INIT, SIDECAR) if one.name == container.name)
    spec = PodSpec((APP,) if inits else (container,), inits, **pod)
    return container_config(INTENT, spec, container, WANTED).restart_policy


def test_what_docker_starts_again_by_itself() -> None:
    assert policy(APP) == "Always"
    assert policy(APP, restart_policy="OnFailure") == "OnFailure"
    assert policy(INIT) == "Never"
    assert policy(SIDECAR, restart_policy="Never") == "Always"
    hooked = Container("app", "i", lifecycle=Lifecycle(post_start=LifecycleHandler(sleep=SleepAction(1))))
    assert policy(hooked) == "Never"


def test_signals_and_terminals() -> None:
    made = alone(Container("app", "i", lifecycle=Lifecycle(stop_signal="SIGQUIT"), stdin=True, tty=True))
    assert (made.stop_signal, made.stdin, made.stdin_once, made.tty) == ("SIGQUIT", True, False, True)


def test_every_container_has_the_clusters_limits() -> None:
    assert alone().pids_limit == 77
    for config in (alone(), sandbox()):
        assert (config.log_max_bytes, config.log_max_files) == (1 << 20, 3)


def test_variables_stand_for_their_values_in_commands() -> None:
    made = alone(Container("app", "i", command=("run", "$(HOME)"), args=("$$(HOME)",)))
    assert (made.entrypoint, made.command) == (("run", "$(HOME)"), ("$(HOME)",))


# --- images and hooks ---------------------------------------------------------------------------------------


def test_a_pull_has_the_logins_of_the_pod_that_are_there() -> None:
    spec = PodSpec((APP,), image_pull_secrets=(LocalObjectReference("absent"), LocalObjectReference("login")))
    assert pull_of("app:1", INTENT, spec, WANTED) == PullImage("app:1", (LOGIN,))
    assert pull_of("app:1", INTENT, PodSpec((APP,)), WANTED) == PullImage("app:1")


def test_hooks() -> None:
    container = Container("app", "i", ports=(ContainerPort(8080, "http"),))
    header = HTTPHeader("X-Stop", "now")
    http = HTTPGetAction("http", "bye", scheme="HTTPS", http_headers=(header,))
    assert hook_of(LifecycleHandler(exec=ExecAction(("sh", "-c", "x"))), container, INTENT) == RunCommand(
        ("sh", "-c", "x")
    )
    assert hook_of(LifecycleHandler(sleep=SleepAction(3)), container, INTENT) == Wait(3)
    assert hook_of(LifecycleHandler(http_get=http), container, INTENT) == GetUrl(
        "https", "10.244.0.2", 8080, "/bye", (("X-Stop", "now"),)
    )
    elsewhere = HTTPGetAction(9, host="other.example")
    assert hook_of(LifecycleHandler(http_get=elsewhere), container, INTENT) == GetUrl(
        "http", "other.example", 9, "/"
    )
