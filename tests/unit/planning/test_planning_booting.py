"""The pods that a host brings up when it boots alone."""

from msgspec.structs import replace

from reconciler.model.api.core.container import Lifecycle, LifecycleHandler
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.memory import PodIntent
from reconciler.planning.kubelet.booting import booting_pods
from tests.simulated import container, desired

DESIRED = desired(nodes=1)


def intent(uid: str, **spec: object) -> PodIntent:
    return PodIntent(uid, "default", f"web-{uid}", "node-001", "h", "r", "10.244.0.2", spec=PodSpec(**spec))  # type: ignore[arg-type]


def test_containers_come_in_the_order_of_their_start_and_lone_ones_have_no_sandbox() -> None:
    side = container("side", restart_policy="Always")
    several = intent("u2", containers=(container("a"), container("b")), init_containers=(container("i"), side))
    alone = intent("u1", containers=(container("a"),), restart_policy="OnFailure")
    first, second = booting_pods([several, alone], DESIRED)["node-001"]
    assert (first.uid, first.sandbox, [part.restarts for part in first.parts]) == ("u1", "", ["OnFailure"])
    assert "POD" in second.sandbox
    assert [part.kind for part in second.parts] == ["init", "sidecar", "main", "main"]
    assert [part.container.split("_")[3] for part in second.parts] == ["i", "side", "a", "b"]


def test_what_leaves_has_ended_or_is_never_restarted_stays_down() -> None:
    one = intent("u1", containers=(container("a"),))
    never = intent("u2", containers=(container("a"),), restart_policy="Never")
    unknown = replace(one, spec=None)
    assert (
        booting_pods([replace(one, wanted="leave"), replace(one, ended="Failed"), never, unknown], DESIRED) == {}
    )


def test_the_same_pod_is_the_very_same_record_in_the_next_plan() -> None:
    hooked = container("a", lifecycle=Lifecycle(post_start=LifecycleHandler()))
    one = intent("u1", containers=(hooked,))
    (before,), (after,) = (booting_pods([one], DESIRED)["node-001"] for _ in range(2))
    assert before is after
    assert before.parts[0].post_start is not None
