"""What containers are created as; images; back-off."""

import pytest

from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.container import Container, ContainerPort, ResourceRequirements
from reconciler.model.api.core.env import (
    EnvFromRef,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    KeySelector,
    ObjectFieldSelector,
)
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.container_config import ContainerConfig, PublishedPort
from reconciler.model.memory import Memory, PodIntent
from reconciler.model.names import Ref
from reconciler.model.operations import Outcome, PodWork, PullImage, StartContainer
from reconciler.model.quantities import Quantity
from reconciler.model.secrets import SecretText
from reconciler.planning import after_failure, after_success
from reconciler.planning.allocation.identity import pod_name, pod_uid
from reconciler.planning.kubelet.container_config import container_config
from reconciler.planning.kubelet.image_policy import must_pull, tagged
from tests.simulated import desired

WEB = Ref("Deployment", "default", "web")
INTENT = PodIntent(
    "01234567-89ab-5cde-a012-3456789abcde", "default", "web-1", "node-000", "h", "r1", "10.244.0.2", WEB
)
WANTED = desired(
    ConfigMap(ObjectMeta("web", "default"), {"COLOUR": "blue", "SIZE": "3"}),
    Secret(ObjectMeta("key", "default"), {"PASSWORD": SecretText("canary")}),
    nodes=1,
)


def config(container: Container) -> ContainerConfig:
    return container_config(INTENT, PodSpec((container,)), container, WANTED)


def env(*variables: EnvVar, env_from: tuple[EnvFromSource, ...] = ()) -> dict[str, object]:
    return dict(config(Container("app", "i", env=variables, env_from=env_from)).env)


def test_labels_are_how_a_new_master_recognises_it() -> None:
    assert config(Container("app", "i")).labels == {
        "reconciler.dev/cluster": "lab",
        "reconciler.dev/namespace": "default",
        "reconciler.dev/pod": "web-1",
        "reconciler.dev/uid": INTENT.uid,
        "reconciler.dev/container": "app",
        "reconciler.dev/owner": "Deployment/web",
        "reconciler.dev/hash": "h",
        "reconciler.dev/revision": "r1",
    }


def test_its_name_says_where_it_belongs() -> None:
    assert config(Container("app", "i")).name == "lab_default_web-1_app_01234567"


def test_whole_maps_come_first_and_single_variables_win() -> None:
    maps = (EnvFromSource(config_map_ref=EnvFromRef("web")), EnvFromSource("DB_", secret_ref=EnvFromRef("key")))
    values = env(EnvVar("SIZE", "4"), env_from=maps)
    assert values == {"COLOUR": "blue", "SIZE": "4", "DB_PASSWORD": SecretText("canary")}


def test_single_keys_and_fields_of_the_pod_are_read() -> None:
    def field(path: str) -> EnvVar:
        return EnvVar(path, value_from=EnvVarSource(field_ref=ObjectFieldSelector(path)))

    key = EnvVar("KEY", value_from=EnvVarSource(config_map_key_ref=KeySelector("web", "COLOUR")))
    gone = EnvVar("GONE", value_from=EnvVarSource(secret_key_ref=KeySelector("key", "absent", optional=True)))
    values = env(key, gone, field("metadata.name"), field("status.podIP"), field("spec.nodeName"))
    assert values == {
        "KEY": "blue",
        "metadata.name": "web-1",
        "status.podIP": "10.244.0.2",
        "spec.nodeName": "node-000",
    }


def test_variables_may_refer_to_earlier_ones() -> None:
    values = env(EnvVar("A", "1"), EnvVar("B", "$(A)-$$(A)-$(C)"))
    assert values["B"] == "1-$(A)-$(C)"


def test_what_holds_a_secret_is_a_secret_and_arguments_never_do() -> None:
    password = EnvVar("PASSWORD", value_from=EnvVarSource(secret_key_ref=KeySelector("key", "PASSWORD")))
    url = EnvVar("URL", "db://user:$(PASSWORD)@db")
    made = config(Container("app", "i", args=("--password=$(PASSWORD)",), env=(password, url)))
    assert made.env["URL"] == SecretText("db://user:canary@db")
    assert made.command == ("--password=$(PASSWORD)",)
    assert "canary" not in repr(made)


def test_requests_and_limits_become_what_docker_knows() -> None:
    resources = ResourceRequirements(
        requests={"cpu": Quantity.parse("250m"), "memory": Quantity.parse("64Mi")},
        limits={"cpu": Quantity.parse("1500m"), "memory": Quantity.parse("128Mi")},
    )
    made = config(Container("app", "i", resources=resources))
    assert (made.cpu_shares, made.cpu_milli_limit) == (256, 1500)
    assert (made.memory_request_bytes, made.memory_limit_bytes) == (64 * 1024**2, 128 * 1024**2)


def test_host_ports_are_published() -> None:
    made = config(Container("app", "i", ports=(ContainerPort(80, host_port=8080), ContainerPort(81))))
    assert made.ports == (PublishedPort(80, 8080, "tcp"),)


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nginx", "nginx:latest"),
        ("docker.io/library/nginx:1", "nginx:1"),
        ("docker.io/team/app:1", "team/app:1"),
        ("registry:5000/app", "registry:5000/app:latest"),
        ("app@sha256:00", "app@sha256:00"),
    ],
)
def test_an_image_is_named_as_a_host_lists_it(image: str, name: str) -> None:
    assert tagged(image) == name


def test_when_an_image_is_pulled() -> None:
    present = frozenset({"app:1", "app:latest"})
    assert must_pull("app:1", "", present) is False
    assert must_pull("app:2", "", present) is True
    assert must_pull("app", "", present) is True
    assert must_pull("app", "IfNotPresent", present) is False
    assert must_pull("app:1", "Always", present) is True
    assert must_pull("app:2", "Never", present) is False


def test_names_and_uids_differ_by_number_and_repeat_for_the_same() -> None:
    assert pod_name(WEB, "abc", 1) == pod_name(WEB, "abc", 1)
    names = {pod_name(WEB, "abc", number) for number in range(100)}
    assert len(names) == 100
    assert all(name.startswith("web-abc-") and len(name) == len("web-abc-") + 5 for name in names)
    uids = {pod_uid("lab", "default", "web", number) for number in range(100)}
    assert len(uids) == 100
    assert {len(uid) for uid in uids} == {36}


def delays(failed: PullImage | StartContainer, count: int) -> list[float]:
    memory = Memory()
    work = PodWork("node", Ref("Pod", "default", "web-1"), "u-1", (failed,))
    waits = []
    for _ in range(count):
        memory = after_failure(memory, Outcome(work, failed, "no", "ErrImagePull"), now=100.0)
        waits.append(memory.backoffs["u-1"].not_before - 100.0)
    return waits


@pytest.mark.fault(53)
def test_each_failure_doubles_the_delay_up_to_a_minute() -> None:
    for wait, expected in zip(delays(StartContainer("c"), 9), [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert expected <= wait <= expected * 1.1


@pytest.mark.fault(53)
def test_an_image_is_asked_for_more_patiently() -> None:
    for wait, expected in zip(delays(PullImage("i"), 8), [5, 10, 20, 40, 80, 160, 300, 300], strict=True):
        assert expected <= wait <= expected * 1.1


def test_two_pods_are_not_tried_at_the_same_moment() -> None:
    works = [PodWork("node", Ref("Pod", "default", "w"), f"u-{n}", (StartContainer("c"),)) for n in range(20)]
    moments = {
        after_failure(Memory(), Outcome(work, work.operations[0]), 0.0).backoffs[work.uid].not_before
        for work in works
    }
    assert len(moments) == 20


def test_success_forgets_the_failures() -> None:
    work = PodWork("node", Ref("Pod", "default", "w"), "u", (StartContainer("c"),))
    failed = after_failure(Memory(), Outcome(work, work.operations[0]), 0.0)
    assert after_success(failed, Outcome(work)).backoffs == {}
    assert after_success(Memory(), Outcome(work)) == Memory()
