"""Pulls from a real registry: accounts, digests, what fails and why; and images that make room."""

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from reconciler.lab import Lab
from reconciler.model.api.cluster import ClusterSpec, ImageGc, Sync
from reconciler.model.names import Ref
from reconciler.model.operations import CreateContainer, PodWork, PullImage, RemoveContainer
from reconciler.model.secrets import SecretText
from tests.lab.registry import PASSWORD, USER, Registry
from tests.lab.world import eventually
from tests.node_host import CLUSTER, Host, connect, node_of, sandbox, set_up, setup


@pytest.fixture
def registry(lab: Lab, tmp_path: Path) -> Iterator[Registry]:
    with Registry(lab.nodes[0], tmp_path / "registry") as registry:
        yield registry
    listed = lab.nodes[0].docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    for image in listed:
        if image.startswith("127.0.0.1") and not image.endswith("<none>"):
            lab.nodes[0].docker("rmi", "-f", image, check=False)


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    with set_up(connect(node_of(lab), lab)) as host:
        yield host


def login(registry: str, password: str = PASSWORD) -> SecretText:
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    return SecretText(json.dumps({"auths": {registry: {"auth": auth}}}))


def noted(lab: Lab) -> str:
    """The images that are ours to remove, by the host's own list."""
    return lab.nodes[0].run(["cat", f"/var/lib/reconciler/{CLUSTER}/images"]).stdout


def test_a_registry_that_wants_a_login_gets_the_pods(lab: Lab, registry: Registry, host: Host) -> None:
    registry.push("lab/busybox:1", "app:1")
    image = f"{registry.private}/app:1"
    wrong = (), (login("elsewhere:1"),), (login(registry.private, "wrong"),)
    for logins in wrong:
        outcome = host.do("u1", PullImage(image, logins))
        assert outcome.reason == "ErrImagePull"
        assert "imagePullSecrets" in outcome.message
        assert PASSWORD not in outcome.message
    assert host.do("u1", PullImage(image, (login("elsewhere:1"), login(registry.private)))).failed is None
    assert image in host.look().images
    assert host.look().pulling == {}
    assert noted(lab) == f"{image}\n"


def test_a_digest_is_pulled_and_counts_as_present(registry: Registry, host: Host) -> None:
    digest = registry.push("lab/busybox:1", "app:1")
    image = f"{registry.open}/app@{digest}"
    assert host.do("u1", PullImage(image), CreateContainer(sandbox(image=image))).failed is None
    assert image in host.look().images
    assert host.do("u1", RemoveContainer("web_POD", "u1")).failed is None


@pytest.mark.fault(53)
def test_what_keeps_an_image_away_is_told_with_its_fix(lab: Lab, registry: Registry, host: Host) -> None:
    registry.push("lab/busybox:1", "app:1")
    node = lab.records[0].ip
    for image, said in (
        (f"{registry.open}/app:2", "has no such image"),
        (f"{registry.open}/none:1", "has no such image"),
        ("127.0.0.1:5999/app:1", "nothing listens at the registry 127.0.0.1:5999"),
        ("no-such-registry.invalid/app:1", "cannot resolve the name of the registry no-such-registry.invalid"),
        (f"{node}:22/app:1", f"the registry {node}:22"),
        ("Not A Name", "correct it"),
    ):
        outcome = host.do("u1", PullImage(image))
        assert outcome.failed is not None, image
        assert said in outcome.message, outcome.message
    assert host.look().pulling == {}


def test_who_asks_for_the_same_image_shares_one_pull(registry: Registry, host: Host) -> None:
    registry.push("lab/web:1.0", "app:1")
    pull = PullImage(f"{registry.open}/app:1")
    before = len(host.told.outcomes)
    for number in range(5):
        host.session.submit(PodWork(host.session.name, Ref("Pod", "default", "web"), f"u{number}", (pull,)))
    host.told.wait_for(lambda: len(host.told.outcomes) == before + 5)
    assert [outcome.failed for outcome in host.told.outcomes[before:]] == [None] * 5


def test_a_full_disk_is_freed_of_unused_images_that_we_pulled(
    lab: Lab, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.nodes.images.garbage_collection._YOUNG_SECONDS", 0.0)
    ours = [f"{registry.open}/app:{number}" for number in range(2)]
    for number, image in enumerate(("lab/web:1.0", "lab/api:1.0", "lab/sidecar:1.0")):
        registry.push(image, f"app:{number}")
    foreign = f"{registry.open}/app:2"
    lab.nodes[0].docker("pull", foreign)
    with set_up(connect(node_of(lab), lab, spec=ClusterSpec(sync=Sync(relist_seconds=0.5)))) as host:
        pulls = [PullImage(image) for image in ours]
        assert host.do("u1", *pulls, CreateContainer(sandbox(image=ours[0]))).failed is None
        full = msgspec.structs.replace(setup(), image_gc=ImageGc(0, 0))
        host.ensure(full)
        host.told.wait_for(lambda: ours[1] not in host.look().images)
        eventually(lambda: noted(lab) == f"{ours[0]}\n")
        threading.Event().wait(1)
        assert {ours[0], foreign, "lab/web:1.0"} <= host.look().images
        assert noted(lab) == f"{ours[0]}\n"
        host.do("u1", RemoveContainer("web_POD", "u1"))
        host.told.wait_for(lambda: ours[0] not in host.look().images)
        assert foreign in host.look().images
