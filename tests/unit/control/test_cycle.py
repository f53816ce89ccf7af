"""What a turn lets happen: no container of an isolated pod starts before its policies are in force."""

from msgspec.structs import replace

from reconciler.control.cycle import Turn, turn
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.api.networking import NetworkPolicy
from reconciler.model.memory import Memory
from reconciler.model.observed import NetworkState, Observed
from reconciler.model.policies import PodPolicy
from reconciler.services import ServiceLayer
from tests.planner import RULES, clock_at
from tests.simulated import deployment, desired, host

POLICY = NetworkPolicy(ObjectMeta("closed", "default"))


def turned(*policies: NetworkPolicy, in_force: frozenset[PodPolicy] = frozenset()) -> Turn:
    """The turn after the one in which the pod was decided."""
    wanted = desired(deployment("web", replicas=1), *policies, nodes=1)
    there = replace(host("node-000"), network=NetworkState("set up", policies=in_force))
    observed = Observed({"node-000": there})
    memory = turn(wanted, observed, Memory(), clock_at(0.0), RULES, ServiceLayer()).plan.memory
    return turn(wanted, observed, memory, clock_at(1.0), RULES, ServiceLayer())


def test_an_isolated_pod_waits_for_its_policies() -> None:
    waiting = turned(POLICY)
    assert waiting.plan.work
    assert waiting.work == ()
    policy = waiting.setups["node-000"].network.policy
    assert [pod.ingress for pod in policy.pods] == [policy.sets[0].name]
    begun = turned(POLICY, in_force=frozenset(policy.pods))
    assert begun.work == begun.plan.work == waiting.plan.work


def test_other_rules_than_those_in_force_are_waited_for_too() -> None:
    (pod,) = turned(POLICY).setups["node-000"].network.policy.pods
    assert turned(POLICY, in_force=frozenset({replace(pod, ingress="older")})).work == ()


def test_without_a_policy_nothing_waits() -> None:
    assert turned().work
