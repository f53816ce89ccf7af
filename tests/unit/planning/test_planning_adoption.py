"""A master without a memory, or with an old one: what it takes over from the hosts, and leaves as it is."""

import pytest
from msgspec.structs import replace

from reconciler.model.allocations import HostAllocations, ServiceAllocation, given_text, read_given
from reconciler.model.api.cluster import ClusterSpec
from reconciler.model.api.core.container import ContainerPort
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.core.service import ServicePort
from reconciler.model.api.meta import Object
from reconciler.model.memory import Memory, NodeRecord
from reconciler.model.names import Ref
from reconciler.model.observed import Observed, ObservedContainer, Reachable, Unreachable
from reconciler.model.operations import StartContainer
from reconciler.model.plan import Action
from reconciler.planning.state.templates import read_template, template_text
from tests.simulated import World, container, deployment, desired, host, node, pod, service

WAY_OUT = "make the host answer, or remove its Node"
WEB = Ref("Service", "default", "web")
API = Ref("Service", "default", "api")
PREPARED = {
    "init_containers": (container("first"), container("log", restart_policy="Always")),
    "containers": (container(ports=(ContainerPort(8080, "http"),), cpu="100m"),),
}


def prepared(version: str) -> World:
    world = World(desired(_web("1.0"), service("web")))
    world.settle()
    world.wanted = desired(_web(version), service("web"), revision="r2")
    world.memory = Memory()
    return world


def _web(version: str):  # type: ignore[no-untyped-def]
    first = container("first", image=f"lab/web:{version}")
    return deployment(containers=PREPARED["containers"], init_containers=(first, PREPARED["init_containers"][1]))


def given_to(world: World, name: str, **given: object) -> None:
    known = world.real.nodes[name]
    assert isinstance(known, Reachable)
    world.real = Observed({**world.real.nodes, name: replace(known, given=HostAllocations(**given))})  # type: ignore[arg-type]


def changed(world: World, change) -> None:  # type: ignore[no-untyped-def]
    for each in world.containers():
        world.change(change, container=each.name)


def test_a_template_is_read_back_as_it_was_and_written_without_what_is_as_by_default() -> None:
    spec = PodSpec(
        PREPARED["containers"], init_containers=PREPARED["init_containers"], termination_grace_period_seconds=0
    )
    text = template_text({"app": "web"}, spec)
    assert read_template(text) == ({"app": "web"}, spec)
    assert "startupProbe" not in text
    assert '"terminationGracePeriodSeconds":0' in text
    assert read_template("") is None
    assert read_template('{"spec":{"containers":[{"name":1}]}}') is None


def test_the_pods_of_an_old_template_are_what_they_were_made_from() -> None:
    world = prepared("2.0")
    step = world.plan()
    assert {one.spec.init_containers[0].image for one in step.memory.pods.values() if one.hash and one.spec} == {
        "lab/web:1.0",
        "lab/web:2.0",
    }
    assert [work for work in step.work if work.uid not in {change.uid for change in step.changes}] == []
    assert {endpoint.ports for endpoint in step.endpoints[WEB]} == {(8080,)}, "by the old template's name"


def test_without_the_template_an_init_container_that_is_done_is_not_started_again() -> None:
    world = prepared("2.0")
    changed(world, lambda each: replace(each, template=""))
    step = world.plan()
    started = [
        each.container for work in step.work for each in work.operations if isinstance(each, StartContainer)
    ]
    old = {uid for uid, intent in step.memory.pods.items() if intent.spec is None}
    assert old
    assert not [name for name in started if any(name.endswith(uid[:8]) for uid in old)]
    assert not [change for change in step.changes if change.action == "restart"]


def test_the_subnet_that_a_host_has_is_kept_and_nobody_else_gets_it() -> None:
    world = World(desired(nodes=3))
    given_to(world, "node-001", pod_cidr="10.244.0.0/24")
    given_to(world, "node-002", pod_cidr="10.244.9.0/24")
    world.step()
    assert cidrs(world) == ["10.244.1.0/24", "10.244.0.0/24", "10.244.9.0/24"]


@pytest.mark.fault(79)
def test_an_older_memory_gives_way_to_what_the_host_has() -> None:
    world = World(desired(nodes=3))
    world.step()
    given_to(world, "node-000", pod_cidr="10.244.7.0/24")
    world.step()
    assert cidrs(world) == ["10.244.7.0/24", "10.244.1.0/24", "10.244.2.0/24"]


def test_of_two_hosts_with_one_subnet_the_remembered_one_keeps_it() -> None:
    world = World(desired(nodes=3))
    world.memory = Memory(nodes={"node-001": NodeRecord("node-001", pod_cidr="10.244.5.0/24")})
    for name in ("node-000", "node-001", "node-002"):
        given_to(world, name, pod_cidr="10.244.5.0/24")
    world.step()
    assert cidrs(world) == ["10.244.0.0/24", "10.244.5.0/24", "10.244.1.0/24"]


def test_a_subnet_that_is_none_is_not_adopted() -> None:
    world = World(desired(nodes=1))
    given_to(world, "node-000", pod_cidr="fd00::/64")
    world.step()
    assert cidrs(world) == ["10.244.0.0/24"]


def cidrs(world: World) -> list[str]:
    return [record.pod_cidr for _, record in sorted(world.memory.nodes.items())]


def test_services_have_the_addresses_and_node_ports_that_the_hosts_know() -> None:
    ports = (ServicePort(80, name="http", target_port="http"), ServicePort(81, name="more", target_port="http"))
    world = World(desired(service("web", type="NodePort", ports=ports), service("other")))
    given_to(world, "node-001", services={WEB: ServiceAllocation("10.96.44.44", (31001, 31002))})
    world.step()
    record = world.memory.services[WEB]
    assert (record.cluster_ip, record.node_ports) == ("10.96.44.44", (31001, 31002))
    assert world.memory.services[Ref("Service", "default", "other")].cluster_ip not in ("", "10.96.44.44")


def test_a_service_that_comes_back_takes_nothing_from_one_that_has_it_since() -> None:
    """A host tells what was given out when the connection to it was made, which may be long ago."""
    old = service("api", type="NodePort")
    world = World(desired(old))
    world.settle()
    before = world.memory.services[API]
    given = ServiceAllocation(before.cluster_ip, before.node_ports)
    ports = (ServicePort(80, target_port="http", node_port=before.node_ports[0]),)
    heir = service("web", type="NodePort", cluster_ip=before.cluster_ip, ports=ports)
    world.wanted = desired(heir, revision="r2")
    world.settle()
    for name in world.wanted.nodes:
        given_to(world, name, services={API: given})
    world.wanted = desired(old, heir, revision="r3")
    world.step()
    assert world.memory.services[WEB] == before
    assert world.memory.services[API].cluster_ip not in ("", before.cluster_ip)


def test_an_address_outside_the_service_network_is_not_adopted() -> None:
    world = World(desired(service("web"), cluster=ClusterSpec(service_cidr="10.97.0.0/16")))
    given_to(world, "node-001", services={WEB: ServiceAllocation("10.96.44.44", (0,))})
    world.step()
    assert world.memory.services[WEB].cluster_ip.startswith("10.97.")


def test_what_is_given_out_is_one_line_and_read_back_as_it_was() -> None:
    services = {
        WEB: ServiceAllocation("10.96.0.7", (30080, 0)),
        Ref("Service", "default", "headless"): ServiceAllocation("", ()),
    }
    turns = {Ref("Ingress", "shop", "site"): 3}
    text = given_text(services, turns)
    assert "\n" not in text
    assert read_given(text) == HostAllocations(services={WEB: services[WEB]}, ingresses=turns)
    assert given_text({}, {}) == ""
    for broken in (
        "{",
        "[]",
        '{"services":{"a/b":["no address"]}}',
        '{"services":3}',
        '{"ingresses":{"a/b":"x"}}',
    ):
        assert read_given(broken) == HostAllocations()


def test_what_runs_since_long_before_counts_as_available_at_once() -> None:
    world = World(desired(deployment(min_ready_seconds=60), nodes=1))
    world.settle()
    world.memory = Memory()
    known = world.real.nodes["node-000"]
    assert isinstance(known, Reachable)
    began = [replace(each, started_at="2026-11-23T12:00:00.5Z", started=1795435200.5) for each in known.containers]
    clock = 1795435200.0 + 100.0 - world.now  # The host's clock says 12:01:40.
    world.real = Observed({"node-000": replace(known, containers=tuple(began), clock=clock)})
    assert world.plan().converged


def test_restarts_are_what_docker_and_the_prober_tell() -> None:
    world = World(desired(deployment(replicas=1), nodes=1))
    world.settle()
    for told, restarts in (
        ({"restart_count": 3}, 3),
        ({"finished_at": "2026-11-23T12:00:00Z"}, 1),
        ({}, 0),
    ):
        world.memory = Memory()
        changed(world, lambda each, told=told: _told(each, told))
        (runs,) = world.plan().memory.runs.values()
        assert runs["app"].restarts == restarts


def _told(each: ObservedContainer, told: dict[str, object]) -> ObservedContainer:
    return replace(each, **{"restart_count": 0, "finished_at": "", **told})


def test_numbers_of_pods_are_never_used_twice_though_how_many_there_were_is_lost() -> None:
    world = World(desired(deployment(replicas=1), nodes=1))
    world.settle()
    before = {each.uid for each in world.containers()}
    world.memory = Memory()
    world.settle()
    world.wanted = desired(deployment(replicas=1, version="2.0"), nodes=1, revision="r2")
    seen: set[str] = set(before)
    for number in range(3):
        version = "1.0" if number % 2 else "2.0"
        world.wanted = desired(deployment(replicas=1, version=version), nodes=1, revision=f"r{number + 2}")
        world.settle()
        now = {each.uid for each in world.containers()}
        assert not now & seen
        seen |= now
    assert host("node-000").given == HostAllocations()


def with_a_silent_node(*objects: Object, replicas: int = 3) -> World:
    """A running cluster, its state lost, and one of its nodes away."""
    world = World(desired(deployment(replicas=replicas), *objects))
    world.settle()
    world.memory = Memory()
    silent = Unreachable(world.now, "connection refused")
    world.cut["node-000"] = silent
    return world


def test_what_may_run_on_a_node_that_was_never_seen_is_not_made_again_at_once() -> None:
    world = with_a_silent_node(pod("job", (container(),), node_name="node-000"))
    step = world.plan()
    assert (step.changes, step.work) == ((), ())
    assert {(one.owner.name, *set(one.reasons.values())) for one in step.unplaced} == {
        (name, f"it may run on node-000, which has not been seen since the state was lost; {WAY_OUT}")
        for name in ("web", "job")
    }
    world.cut.clear()
    steps = world.settle()
    assert [work for step in steps for work in step.work] == []
    assert steps[-1].converged


def test_once_the_node_is_lost_its_deployments_pods_are_made_elsewhere_and_bare_pods_are_not() -> None:
    world = with_a_silent_node(pod("job"), pod("other"))
    steps = world.settle()
    created = [change.pod.name for step in steps for change in step.changes if change.action is Action.CREATE]
    assert len([name for name in created if name.startswith("web")]) == 1
    assert not {"job", "other"} & set(created)
    world.cut.clear()
    world.settle()
    names = [each.pod for each in world.containers()]
    assert names.count("job") == names.count("other") == 1
    assert sum(name.startswith("web") for name in names) == 3
    assert len({each.uid for each in world.containers()}) == len(names), "no uid is on two nodes"


def test_what_is_made_while_a_node_was_never_seen_has_no_uid_of_a_pod_there_though_none_was_taken_over() -> None:
    world = World(desired(deployment("web", replicas=1), deployment("gone", replicas=2)))
    world.settle()
    (there,) = [name for name, seen in world.observed().nodes.items() if "web" in pods_at(seen)]
    world.memory = Memory()
    world.cut[there] = Unreachable(world.now, "connection refused")
    world.wanted = desired(deployment("web", replicas=1), revision="r2")
    steps = world.settle()
    assert [change.action for step in steps for change in step.changes] == [Action.CREATE]
    assert len({each.uid for each in world.containers()}) == len(world.containers()) == 4


def pods_at(seen: object) -> set[str]:
    assert isinstance(seen, Reachable)
    return {each.pod.partition("-")[0] for each in seen.containers}


def test_a_new_cluster_waits_for_no_node_that_does_not_answer() -> None:
    world = World(desired(deployment(), pod("job")))
    world.cut["node-000"] = Unreachable(0.0, "connection refused")
    world.settle()
    assert len(world.containers()) == 4


def test_a_node_that_is_removed_is_waited_for_no_more() -> None:
    world = with_a_silent_node(pod("job", (container(),), node_name="node-000"))
    world.plan()
    world.wanted = desired(pod("job"), nodes=[node("node-001"), node("node-002")], revision="r2")
    world.settle()
    assert [each.pod for each in world.containers() if each.pod == "job" and each.state == "running"]
