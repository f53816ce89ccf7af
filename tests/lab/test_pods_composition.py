"""Several containers as one pod: the order of their starts and stops, what they share, and how a pod ends."""

import time
from functools import partial

from tests.lab.pods import (
    STAY,
    Json,
    Stage,
    condition,
    container,
    is_running,
    pod,
    reason,
    restarts,
    state_of,
    web,
)
from tests.lab.world import eventually

SHARED: Json = {"volumes": [{"name": "shared", "emptyDir": {}}]}
MOUNT: Json = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
UP: Json = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1}
SIDECAR: Json = {"restartPolicy": "Always"}


CONTAINER = '{{index .Actor.Attributes "reconciler.dev/container"}}'


def test_init_containers_run_in_order_and_the_next_waits_for_a_sidecar_to_have_started(stage: Stage) -> None:
    stage.put(
        pod(
            "ordered",
            container("main", f"cat /shared/order; {STAY}", **MOUNT),
            initContainers=[
                container("one", "sleep 0.4; echo one >>/shared/order", **MOUNT),
                container(
                    "side",
                    f"sleep 0.6; echo side >>/shared/order; touch /tmp/up; {STAY}",
                    startupProbe=UP,
                    **SIDECAR,
                    **MOUNT,
                ),
                container("two", "echo two >>/shared/order", **MOUNT),
            ],
            **SHARED,
        )
    )
    seen = stage.up("ordered")
    eventually(lambda: len(stage.logs("ordered").split()) >= 3, what="the file in the log")
    assert stage.logs("ordered").split() == ["one", "side", "two"]
    assert condition(seen, "Initialized") == "True"
    assert state_of(seen, "one")["state"]["terminated"]["exitCode"] == 0
    assert is_running(seen, "side")
    assert restarts(seen, "one") == restarts(seen, "side") == restarts(seen) == 0


def test_sidecars_stop_after_the_main_containers_and_in_reverse_order(stage: Stage) -> None:
    slow = "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done"
    sidecars = [container(name, **SIDECAR) for name in ("first", "second")]
    stage.put(pod("stopping", container("main", slow), initContainers=sidecars, terminationGracePeriodSeconds=8))
    stage.up("stopping")
    stage.clear()
    stage.gone("stopping")
    assert stage.told("stopping", CONTAINER, "event=die") == ["main", "second", "first", "POD"]


def test_hooks_run_after_the_start_and_before_the_stop(stage: Stage) -> None:
    hooks = {
        "postStart": {"exec": {"command": ["touch", "/tmp/started"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "sleep 0.5"]}},
    }
    stage.put(pod("hooked", container(lifecycle=hooks), terminationGracePeriodSeconds=20))
    stage.up("hooked")
    assert stage.inside("hooked", "ls", "/tmp/started") == "/tmp/started"
    stage.clear()
    stage.gone("hooked")
    told = stage.told("hooked", "{{.Action}}")
    stopping = [each for each in told if each in ("kill", "die") or "sleep" in each]
    assert [each.partition(":")[0] for each in stopping] == ["exec_create", "exec_start", "kill", "die"]


def test_a_post_start_hook_that_fails_kills_its_container_and_says_what_it_printed(stage: Stage) -> None:
    failing = {"postStart": {"exec": {"command": ["sh", "-c", "echo no luck; exit 3"]}}}
    stage.put(pod("unhooked", container(lifecycle=failing), restartPolicy="Never"))
    assert "no luck" in stage.event("FailedPostStartHook", "unhooked")["message"]
    stage.wait("unhooked", lambda seen: not is_running(seen))


def test_a_pre_stop_hook_that_fails_says_what_it_printed_and_keeps_nothing_from_its_end(stage: Stage) -> None:
    failing = {"preStop": {"exec": {"command": ["sh", "-c", "echo no luck; exit 3"]}}}
    stage.put(pod("parting", container(lifecycle=failing)))
    stage.up("parting")
    stage.clear()
    assert "no luck" in stage.event("FailedPreStopHook", "parting")["message"]
    stage.gone("parting")


def test_containers_share_address_localhost_host_name_memory_and_volumes(stage: Stage) -> None:
    stage.put(pod("family", web(**MOUNT), container(**MOUNT), **SHARED))
    seen = stage.up("family")
    address = seen["status"]["podIP"]
    for name in ("main", "web"):
        assert f"inet {address}/" in stage.inside("family", "ip", "addr", name=name)
        assert stage.inside("family", "hostname", name=name) == "family"
        assert address in stage.inside("family", "cat", "/etc/hosts", name=name)
    eventually(lambda: "pod=family" in stage.inside("family", "wget", "-qO-", "http://127.0.0.1:8080/"))
    stage.inside("family", "sh", "-c", "echo here >/shared/file; echo there >/dev/shm/file")
    assert stage.inside("family", "cat", "/shared/file", "/dev/shm/file", name="web").split() == ["here", "there"]


def test_a_lone_container_has_no_sandbox_and_keeps_address_and_name_over_a_restart(stage: Stage) -> None:
    stage.put(pod("lone", container()))
    before = stage.up("lone")
    assert [each.labels["reconciler.dev/container"] for each in stage.containers("lone")] == ["main"]
    hosts = stage.inside("lone", "cat", "/etc/hosts")
    stage.crash("lone")
    after = stage.wait("lone", lambda seen: restarts(seen) == 1 and is_running(seen))
    assert after["status"]["podIP"] == before["status"]["podIP"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert stage.inside("lone", "cat", "/etc/hosts") == hosts
    assert f"inet {before['status']['podIP']}/" in stage.inside("lone", "ip", "addr")


def test_one_container_crashes_and_the_others_do_not_notice(stage: Stage) -> None:
    stage.put(pod("pair", web(), container()))
    stage.up("pair")
    before = {name: stage.inspect("pair", name)["State"]["StartedAt"] for name in ("POD", "web", "main")}
    stage.crash("pair")
    stage.wait("pair", lambda seen: restarts(seen) == 1 and is_running(seen))
    after = {name: stage.inspect("pair", name)["State"]["StartedAt"] for name in ("POD", "web", "main")}
    assert {name for name in before if before[name] != after[name]} == {"main"}
    assert "pod=pair" in stage.inside("pair", "wget", "-qO-", "http://127.0.0.1:8080/")


def test_without_its_sandbox_a_pod_is_made_anew_init_containers_first(stage: Stage) -> None:
    init = container("init", "echo again >>/shared/inits", **MOUNT)
    stage.put(pod("rebuilt", container(**MOUNT), initContainers=[init], **SHARED))
    address = stage.up("rebuilt")["status"]["podIP"]
    old = stage.container("rebuilt", "POD").id
    main = stage.container("rebuilt").id
    stage.docker("rm", "-f", old)
    eventually(lambda: stage.containers("rebuilt") and main not in ids(stage, "rebuilt"), 15, "new containers")
    assert stage.up("rebuilt")["status"]["podIP"] == address
    assert stage.inside("rebuilt", "cat", "/shared/inits").split() == ["again", "again"]
    assert f"inet {address}/" in stage.inside("rebuilt", "ip", "addr")


def test_a_pod_that_is_done_succeeds_its_sidecar_is_stopped_and_it_never_runs_again(stage: Stage) -> None:
    stage.put(
        pod(
            "job",
            container("main", "echo done"),
            initContainers=[container("side", **SIDECAR)],
            restartPolicy="OnFailure",
        )
    )
    seen = stage.wait("job", lambda seen: seen["status"]["phase"] == "Succeeded")
    assert state_of(seen)["state"]["terminated"]["exitCode"] == 0
    eventually(lambda: all(each.state == "exited" for each in stage.containers("job")), 15, "the sidecar's end")
    started = stage.inspect("job")["State"]["StartedAt"]
    stage.put(pod("other", container()), file="other.yaml")
    stage.up("other")
    assert stage.inspect("job")["State"]["StartedAt"] == started
    for each in stage.containers("job"):
        stage.docker("rm", "-f", each.id)
    time.sleep(1)
    assert not [each for each in stage.containers("job") if each.state == "running"]
    assert stage.pod("job")["status"]["phase"] == "Succeeded"


def test_on_failure_runs_again_until_it_succeeds_and_never_does_not(stage: Stage) -> None:
    second = "[ -e /shared/once ] && exit 0; touch /shared/once; echo first; exit 5"
    stage.put(
        pod("stubborn", container("main", second, **MOUNT), restartPolicy="OnFailure", **SHARED),
        pod("final", container("main", "echo it broke; exit 5"), restartPolicy="Never"),
    )
    failed = stage.wait("final", lambda seen: seen["status"]["phase"] == "Failed")
    assert state_of(failed)["state"]["terminated"]["exitCode"] == 5
    assert restarts(failed) == 0
    assert restarts(stage.wait("stubborn", lambda seen: seen["status"]["phase"] == "Succeeded")) == 1


def test_an_init_container_that_fails_is_tried_again_later_and_nothing_else_starts(stage: Stage) -> None:
    bad = container("init", "echo cannot prepare; exit 1")
    stage.put(
        pod("stuck", container(), initContainers=[bad]),
        pod("over", container(), initContainers=[bad], restartPolicy="Never"),
    )
    seen = stage.wait("stuck", lambda seen: reason(seen, "init") == "CrashLoopBackOff", 20)
    assert seen["status"]["phase"] == "Pending"
    assert condition(seen, "Initialized") == "False"
    assert "main" not in {each.labels["reconciler.dev/container"] for each in stage.containers("stuck")}
    assert "cannot prepare" in stage.event("Exited", "stuck")["message"]
    over = stage.wait("over", lambda seen: seen["status"]["phase"] == "Failed")
    assert not is_running(over)


def test_a_pod_past_its_deadline_is_ended_and_failed(stage: Stage) -> None:
    stage.put(pod("late", container(), activeDeadlineSeconds=2))
    stage.wait("late", lambda seen: is_running(seen))
    seen = stage.wait("late", lambda seen: seen["status"]["phase"] == "Failed", 15)
    assert seen["status"]["reason"] == "DeadlineExceeded"
    eventually(lambda: all(each.state != "running" for each in stage.containers("late")))


def ids(stage: Stage, name: str) -> set[str]:
    return {each.id for each in stage.containers(name)}


def _stands(reasons: tuple[str, ...], seen: Json) -> bool:
    return is_running(seen, "fine") and reason(seen, "broken") in reasons


def test_a_container_that_cannot_start_keeps_no_other_from_starting(stage: Stage) -> None:
    fine, missing = container("fine"), container("broken", image="lab/not-there:1")
    root = {"runAsNonRoot": True}
    bad = {
        "late": ((missing, fine), ("ErrImagePull", "ImagePullBackOff")),
        "early": ((fine, missing), ("ErrImagePull", "ImagePullBackOff")),
        "badcommand": ((container("broken", command=["/no/such"]), fine), ("RunContainerError",)),
        "badconfig": ((container("broken", securityContext=root), fine), ("CreateContainerConfigError",)),
        "never": (
            (container("broken", image="lab/not-there:1", imagePullPolicy="Never"), fine),
            ("ErrImageNeverPull",),
        ),
    }
    stage.docker("tag", "lab/busybox:1", "lab/vanishing:1")
    pair = pod("pair", container("a", image="lab/vanishing:1"), container("b"))
    stage.put(pair, *(pod(name, *containers) for name, (containers, _) in bad.items()))
    for name, (_, reasons) in bad.items():
        seen = stage.wait(name, partial(_stands, reasons))
        assert condition(seen, "Initialized") == "True"
    stage.up("pair")
    stage.docker("rmi", "-f", "lab/vanishing:1")
    stage.docker("rm", "-f", stage.container("pair", "a").id)
    stage.wait("pair", lambda seen: reason(seen, "a") in ("ErrImagePull", "ImagePullBackOff"))
    before = stage.container("pair", "b").id
    stage.docker("rm", "-f", before)
    eventually(
        lambda: before not in (ids := [c.id for c in stage.containers("pair")]) and len(ids) == 2, what="another b"
    )
    stage.wait("pair", lambda seen: is_running(seen, "b"))
