"""Images from a real registry: with and without a login, by tag and by digest, and when it has none or is down."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.lab import Lab
from tests.lab.pods import Json, Stage, condition, container, is_running, message, pod, reason, secret, workload
from tests.lab.registry import PASSWORD, USER, Registry
from tests.lab.world import engine_events, eventually

WAITING = ("ErrImagePull", "ImagePullBackOff")


@pytest.fixture(scope="module")
def registry(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    host = lab.node("node-1")
    with Registry(host, tmp_path_factory.mktemp("registry")) as registry:
        yield registry
    for image in host.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split():
        if image.startswith("127.0.0.1:"):
            host.docker("rmi", "-f", image, check=False)


@pytest.fixture(autouse=True)
def without_copies(registry: Registry, stage: Stage) -> None:
    """No image of the registry is on the host before a test, whatever an earlier one pulled."""
    listed = registry.host.docker("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").stdout
    for line in listed.splitlines():
        if line.startswith("127.0.0.1:"):
            registry.host.docker("rmi", "-f", line.split()[0], check=False)


def login(password: str, registry: Registry) -> Json:
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    config = json.dumps({"auths": {registry.private: {"auth": auth}}})
    return secret("login", type="kubernetes.io/dockerconfigjson", **{".dockerconfigjson": config})


def fetched(name: str, image: str, **spec: Any) -> Json:
    return pod(name, container(image=image), **spec)


def test_an_image_is_pulled_by_tag_and_by_digest(stage: Stage, registry: Registry) -> None:
    digest = registry.push("lab/busybox:1", "box:1")
    stage.put(fetched("by-tag", f"{registry.open}/box:1"), fetched("by-digest", f"{registry.open}/box@{digest}"))
    stage.up("by-tag", 40)
    stage.up("by-digest", 40)
    stage.event("Pulling", "box:1")
    stage.event("Pulled", "box:1")


@pytest.mark.rule(7)
def test_a_login_comes_from_the_pods_secret_and_its_password_is_nowhere(stage: Stage, registry: Registry) -> None:
    registry.push("lab/busybox:1", "closed:1")
    secrets = [{"name": "login"}]
    image = f"{registry.private}/closed:1"
    stage.put(login(PASSWORD, registry), fetched("allowed", image, imagePullSecrets=secrets))
    stage.up("allowed", 40)
    told = json.dumps(stage.running.events) + stage.running.errors + json.dumps(stage.inspect("allowed"))
    assert PASSWORD not in told
    kept = registry.host.run(["grep", "-rlF", PASSWORD, "/root", "/var/lib/reconciler", "/run"], check=False)
    assert kept.stdout == ""


@pytest.mark.fault(53)
@pytest.mark.parametrize(("name", "password"), [("unknown", None), ("stranger", "wrong")])
def test_without_the_right_login_it_says_so(
    stage: Stage, registry: Registry, name: str, password: str | None
) -> None:
    registry.push("lab/busybox:1", "closed:1")
    image = f"{registry.private}/closed:1"
    objects = [] if password is None else [login(password, registry)]
    secrets = [] if password is None else [{"name": "login"}]
    stage.put(*objects, fetched(name, image, imagePullSecrets=secrets))
    seen = stage.wait(name, lambda seen: reason(seen) in WAITING)
    said = message(seen).lower()
    assert "login" in said or "imagepullsecrets" in said, said
    assert "wrong" not in said.replace("wrong password", "").replace("wrong login", ""), "not the password itself"


@pytest.mark.fault(53)
def test_an_image_that_is_not_there_backs_off_and_the_old_version_stays(stage: Stage, registry: Registry) -> None:
    image = registry.push("lab/busybox:1", "app:1") and f"{registry.open}/app:1"
    stage.put(workload("app", container(image=image)))
    stage.up("app", 40)
    before = stage.container("app").id
    stage.put(workload("app", container(image=f"{registry.open}/app:2")))
    stage.event("ErrImagePull", "app:2")
    eventually(lambda: any(reason(each) == "ImagePullBackOff" for each in stage.pods("app")), 20, "the back-off")
    (new,) = [each for each in stage.pods("app") if reason(each) in WAITING]
    assert "app:2" in message(new)
    assert condition(new, "Ready") == "False"
    assert before in {each.id for each in stage.containers("app") if each.state == "running"}
    registry.push("lab/busybox:1", "app:2")
    eventually(lambda: is_running(stage.pod("app")) and stage.container("app").id != before, 40, "the new version")


def test_a_registry_that_is_down_says_so_and_is_asked_again(stage: Stage, registry: Registry) -> None:
    registry.push("lab/busybox:1", "later:1")
    registry.stop()
    try:
        stage.put(fetched("patient", f"{registry.open}/later:1"))
        seen = stage.wait("patient", lambda seen: reason(seen) in WAITING)
        assert "refused" in message(seen)
        assert registry.open in message(seen)
    finally:
        registry.start()
    stage.up("patient", 45)


def test_always_asks_the_registry_and_never_does_not(stage: Stage, registry: Registry) -> None:
    registry.push("lab/busybox:1", "moving:1")
    image = f"{registry.open}/moving:1"
    stage.put(pod("first", container(image=image)))
    stage.up("first", 40)
    old = stage.inspect("first")["Image"]
    moved = registry.host.docker("inspect", "-f", "{{.Id}}", "lab/web:1.0").stdout.strip()
    registry.push("lab/web:1.0", "moving:2")
    registry.push("lab/web:1.0", "moving:1")
    registry.host.docker("tag", old, image)  # The registry's tag has moved on, the host's has not.
    stage.put(
        pod("cached", container(image=image, imagePullPolicy="IfNotPresent")),
        pod("offline", container(image=image, imagePullPolicy="Never")),
        pod("absent", container(image=f"{registry.open}/moving:2", imagePullPolicy="Never")),
        file="cached.yaml",
    )
    stage.up("cached")
    stage.up("offline")
    assert stage.inspect("cached")["Image"] == stage.inspect("offline")["Image"] == old
    stage.wait("absent", lambda seen: reason(seen) == "ErrImageNeverPull")
    stage.put(pod("fresh", container(image=image, imagePullPolicy="Always")), file="fresh.yaml")
    stage.up("fresh", 40)
    assert stage.inspect("fresh")["Image"] == moved
    assert stage.inspect("cached")["Image"] == old


def test_pods_that_need_one_image_pull_it_once(stage: Stage, registry: Registry) -> None:
    registry.push("lab/web:2.0", "shared:1")
    stage.put(*(fetched(f"sharer-{number}", f"{registry.open}/shared:1") for number in range(4)))
    for number in range(4):
        stage.up(f"sharer-{number}", 40)
    pulled = engine_events(stage.world.lab.node("node-1"), 600, "{{.Actor.ID}}", "event=pull")
    assert pulled.count(f"{registry.open}/shared:1") == 1
