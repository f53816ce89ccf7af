"""What each node's prober is asked to do, from the pods placed there."""

import time
from typing import Any

from msgspec.structs import replace

from reconciler.model.api.core.container import (
    Container,
    ContainerPort,
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    HTTPHeader,
    Lifecycle,
    LifecycleHandler,
    Probe,
    TCPSocketAction,
)
from reconciler.model.api.core.env import EnvVar
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.probes import CheckHealth, GetUrl, OpenConnection, ProbeAction, ProbedContainer, RunCommand
from reconciler.planning.kubelet.probes import awaits_probe, probed_containers
from tests.simulated import desired

WANTED = desired(nodes=2)
PORTS = (ContainerPort(8080, "http"),)
HTTP = Probe(http_get=HTTPGetAction("http"))
TCP = Probe(tcp_socket=TCPSocketAction(5432))


def pod(spec: PodSpec, number: int = 1, node: str = "node-000", **fields: Any) -> PodIntent:
    owner = Ref("Deployment", "default", "web")
    uid = f"{number:08d}-0000-5000-a000-000000000000"
    intent = PodIntent(uid, "default", f"web-{number}", node, "hash", "r1", f"10.244.0.{number}", owner, spec=spec)
    return replace(intent, **fields)


def probed(spec: PodSpec, **fields: Any) -> tuple[ProbedContainer, ...]:
    return probed_containers([pod(spec, **fields)], WANTED).get("node-000", ())


def action(probe: Probe, **fields: Any) -> ProbeAction:
    (one,) = probed(PodSpec((Container("app", "i", ports=PORTS, liveness_probe=probe, **fields),)))
    return one.probes[0].action


def test_each_kind_is_asked_at_the_pods_own_address() -> None:
    headers = (HTTPHeader("X", "y"),)
    https = Probe(http_get=HTTPGetAction("http", "healthz", scheme="HTTPS", http_headers=headers))
    assert action(https) == GetUrl("https", "10.244.0.1", 8080, "/healthz", (("X", "y"),))
    assert action(Probe(http_get=HTTPGetAction(1, host="10.0.0.9"))) == GetUrl("http", "10.0.0.9", 1)
    assert action(TCP) == OpenConnection("10.244.0.1", 5432)
    assert action(Probe(grpc=GRPCAction(9000, "shop"))) == CheckHealth("10.244.0.1", 9000, "shop")
    assert action(Probe(exec=ExecAction(("true",)))) == RunCommand(("true",))


def test_a_command_knows_only_the_variables_that_the_manifest_writes_out() -> None:
    run = Probe(exec=ExecAction(("echo", "$(A) $(B) $$(A)")))
    assert action(run, env=(EnvVar("A", "1"),)) == RunCommand(("echo", "1 $(B) $(A)"))


def test_a_port_of_no_such_name_is_asked_for_and_fails() -> None:
    assert action(Probe(tcp_socket=TCPSocketAction("nope"))) == OpenConnection("10.244.0.1", 0)


def test_a_probes_own_grace_period_goes_before_the_pods() -> None:
    own = replace(TCP, termination_grace_period_seconds=5)
    app = Container("app", "i", startup_probe=own, liveness_probe=TCP)
    (one,) = probed(PodSpec((app,), termination_grace_period_seconds=40))
    assert [(probe.kind, probe.grace) for probe in one.probes] == [("startup", 5), ("liveness", 40)]


def test_every_pod_of_a_template_is_asked_at_its_own_address_on_its_own_node() -> None:
    spec = PodSpec((Container("app", "i", ports=PORTS, readiness_probe=HTTP), Container("plain", "i")))
    pods = [pod(spec, 2), pod(spec, 1), pod(spec, 3, "node-001")]
    found = probed_containers(pods, WANTED)
    assert {node: [one.container for one in ones] for node, ones in found.items()} == {
        "node-000": ["lab_default_web-1_app_00000001", "lab_default_web-2_app_00000002"],
        "node-001": ["lab_default_web-3_app_00000003"],
    }
    assert [one.probes[0].action for one in found["node-000"]] == [
        GetUrl("http", f"10.244.0.{number}", 8080) for number in (1, 2)
    ]


def test_pods_without_probes_or_at_their_end_are_nobodys_work() -> None:
    spec = PodSpec((Container("app", "i", liveness_probe=TCP),))
    assert probed_containers([pod(PodSpec((Container("app", "i"),)))], WANTED) == {}
    assert probed(spec, ended="Succeeded") == probed(spec, wanted="leave") == ()


def test_a_pod_that_leaves_is_only_asked_whether_it_is_ready() -> None:
    spec = PodSpec((Container("app", "i", liveness_probe=TCP, startup_probe=TCP, readiness_probe=TCP),))
    (one,) = probed(spec, wanted="leave")
    assert [probe.kind for probe in one.probes] == ["readiness"]


def test_who_is_started_again() -> None:
    sidecar = Container("side", "i", liveness_probe=TCP, restart_policy="Always")
    hooked = Container("zhooked", "i", liveness_probe=TCP, lifecycle=Lifecycle(post_start=LifecycleHandler()))
    init = Container("init", "i")
    app = Container("app", "i", liveness_probe=TCP)
    found = {
        policy: [one.restarts for one in probed(PodSpec((app, hooked), (init, sidecar), restart_policy=policy))]
        for policy in ("Always", "Never")
    }
    # app, side, zhooked: whose postStart hook only the master runs, so the master starts it.
    assert found == {"Always": [True, True, False], "Never": [False, True, False]}


def test_the_hook_before_its_end_comes_along() -> None:
    hook = Lifecycle(pre_stop=LifecycleHandler(http_get=HTTPGetAction("http", "/bye")))
    (one,) = probed(PodSpec((Container("app", "i", ports=PORTS, liveness_probe=TCP, lifecycle=hook),)))
    assert one.pre_stop == GetUrl("http", "10.244.0.1", 8080, "/bye")


def test_readiness_is_waited_for_where_a_probe_decides_it() -> None:
    assert awaits_probe(Container("a", "i", readiness_probe=TCP))
    assert awaits_probe(Container("a", "i", startup_probe=TCP))
    assert not awaits_probe(Container("a", "i", liveness_probe=TCP))


def test_a_thousand_pods_cost_next_to_nothing() -> None:
    spec = PodSpec((Container("app", "i", ports=PORTS, liveness_probe=HTTP, readiness_probe=HTTP),))
    pods = [pod(spec, number, f"node-{number % 2:03d}") for number in range(1000)]
    probed_containers(pods, WANTED)
    took, counted = [], []
    for _ in range(5):
        began = time.process_time()
        probed_containers(pods, WANTED)
        took.append(time.process_time() - began)
        began = time.process_time()
        sum(number for number in range(200_000))
        counted.append(time.process_time() - began)
    assert min(took) < min(counted), "less than counting to 200,000: some 5 ms of a usual machine"
