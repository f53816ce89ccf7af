"""What a good revision becomes, and what stays the same from one to the next."""

from ipaddress import ip_address

import pytest

from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.node import SshAddress
from reconciler.model.api.core.service import Service
from reconciler.model.desired import Desired, Rejected
from reconciler.model.names import Ref
from reconciler.model.problems import Place
from reconciler.model.quantities import Quantity
from reconciler.model.secrets import SecretText
from tests.good_revision import Load, SnapshotOf, hashes

WEB = Ref("Deployment", "default", "web")


def loaded(result: Desired | Rejected) -> Desired:
    assert isinstance(result, Desired), [str(problem) for problem in result.problems]
    return result


def test_a_good_revision_is_desired_without_a_warning(load: Load) -> None:
    desired = loaded(load())
    assert desired.warnings == ()
    assert desired.cluster.metadata.name == "lab"
    assert desired.nodes["node-1"].ssh == SshAddress("root", "10.0.0.1", 22)
    assert ip_address(desired.nodes["node-1"].ssh.host)
    deployment = desired.of(Deployment)[WEB]
    assert deployment.metadata.namespace == "default"
    assert deployment.spec.replicas == 2
    assert deployment.spec.template.spec.containers[0].resources.limits == {"cpu": Quantity.parse("1000m")}
    assert desired.of(Service)[Ref("Service", "default", "web")].spec.ports[0].target_port == "http"
    assert desired.of(Secret)[Ref("Secret", "default", "passwords")].data == {
        "token": SecretText("s3cr3t"),
        "user": SecretText("admin"),
    }
    assert desired.places[WEB] == Place("web.yaml", 1, 1)


def test_manifests_are_as_written_with_fingerprints_for_secrets(load: Load) -> None:
    desired = loaded(load())
    web = desired.manifests[WEB]
    assert list(web) == ["apiVersion", "kind", "metadata", "spec"]
    assert web["spec"]["replicas"] == 2
    assert "strategy" not in web["spec"]
    secret = Ref("Secret", "default", "passwords")
    assert desired.manifests[secret]["data"]["token"] == SecretText("s3cr3t").fingerprint(str(secret))
    assert "ssh" not in desired.manifests[Ref("Node", "", "node-1")]
    assert "s3cr3t" not in repr(desired)
    assert "czNjcjN0" not in repr(desired.manifests)


def test_an_address_without_user_and_port_takes_the_clusters(load: Load, good: dict[str, str]) -> None:
    cluster = good["cluster.yaml"] + "spec:\n  ssh:\n    user: deploy\n    port: 2222\n"
    node = good["node.yaml"].replace("ssh://root@10.0.0.1:22", "ssh://10.0.0.1")
    desired = loaded(load({"cluster.yaml": cluster, "node.yaml": node}))
    assert desired.nodes["node-1"].ssh == SshAddress("deploy", "10.0.0.1", 2222)


@pytest.mark.fault(17)
def test_json_bom_crlf_and_several_documents_are_read(load: Load, good: dict[str, str]) -> None:
    files = {
        "cluster.yaml": None,
        "cluster.json": '{"apiVersion": "reconciler.dev/v1", "kind": "Cluster",\n\t"metadata": {"name": "lab"}}',
        "node.yaml": b"\xef\xbb\xbf" + good["node.yaml"].replace("\n", "\r\n").encode(),
        "web.yaml": "# only a comment\n---\n" + good["web.yaml"] + "---\n",
    }
    desired = loaded(load(files))
    assert desired.places[WEB] == Place("web.yaml", 3, 1)
    assert desired.nodes["node-1"].ssh.host == "10.0.0.1"


def test_the_hash_depends_neither_on_the_order_of_keys_nor_on_written_defaults(
    load: Load, good: dict[str, str]
) -> None:
    before = loaded(load()).templates[WEB].hash
    reordered = good["web.yaml"].replace("name: web\n          image: web:1", "image: web:1\n          name: web")
    explicit = reordered.replace("    spec:\n", "    spec:\n      restartPolicy: Always\n      nodeSelector: {}\n")
    assert reordered != good["web.yaml"]
    assert explicit != reordered
    assert loaded(load({"web.yaml": explicit})).templates[WEB].hash == before
    assert len(before) == 10


def test_another_number_of_replicas_keeps_the_hash(load: Load, changed: Load) -> None:
    assert hashes(loaded(changed("web.yaml", "replicas: 2", "replicas: 3"))) == hashes(loaded(load()))


def test_what_a_variable_reads_is_part_of_the_hash(load: Load, changed: Load, good: dict[str, str]) -> None:
    hashes = {
        loaded(load()).templates[WEB].hash,
        loaded(changed("web.yaml", "web:1", "web:2")).templates[WEB].hash,
        loaded(changed("config.yaml", "production", "test")).templates[WEB].hash,
        loaded(changed("secret.yaml", "czNjcjN0", "b3RoZXI=")).templates[WEB].hash,
        loaded(
            changed("web.yaml", "        app: web\n    spec", "        app: web\n        tier: front\n    spec")
        )
        .templates[WEB]
        .hash,
    }
    assert len(hashes) == 5


def test_a_key_that_no_variable_reads_is_not_part_of_the_hash(load: Load, changed: Load) -> None:
    assert hashes(loaded(changed("secret.yaml", "admin", "root"))) == hashes(loaded(load()))


def test_what_did_not_change_stays_the_same_object(load: Load, good: dict[str, str]) -> None:
    before = loaded(load())
    after = loaded(load({"config.yaml": good["config.yaml"].replace("production", "test")}))
    assert after.of(Deployment)[WEB] is before.of(Deployment)[WEB]
    assert after.manifests[WEB] is before.manifests[WEB]
    assert after.nodes["node-1"] is before.nodes["node-1"]
    assert after.of(Deployment) is before.of(Deployment)
    assert after.of(ConfigMap) is not before.of(ConfigMap)
    assert before.of(ConfigMap) != after.of(ConfigMap)
    settings = Ref("ConfigMap", "default", "settings")
    assert before.of(ConfigMap)[settings].data == {"MODE": "production"}
    assert after.of(ConfigMap)[settings].data == {"MODE": "test"}


def test_what_was_loaded_before_makes_no_difference(
    load: Load, good: dict[str, str], snapshot: SnapshotOf
) -> None:
    steps: list[dict[str, str | None]] = [
        {"web.yaml": good["web.yaml"].replace("app: web", "app: other")},
        {"config.yaml": None},
        {"a.yaml": good["web.yaml"], "z.yaml": "kind: ["},
        {"node.yaml": None},
        {"node.yaml": good["node.yaml"] + "---\n" + good["node.yaml"].replace("node-1", "node-2")},
        {"web-service.yaml": good["web-service.yaml"].replace("app: web", "app: api")},
        {},
        {"b.yaml": good["web.yaml"].replace("name: web", "name: too", 1)},
        dict.fromkeys(good),
        {},
    ]
    for step in steps:
        files = {path: text for path, text in {**good, **step}.items() if text is not None}
        assert load(step) == Loader(ADMITTED).load(snapshot(files))


def test_a_decimal_amount_does_not_depend_on_what_was_read_before(
    good: dict[str, str], snapshot: SnapshotOf
) -> None:
    decimal = good["web.yaml"].replace("cpu: 1\n", "cpu: 1.0\n")
    assert decimal != good["web.yaml"]
    loader = Loader(ADMITTED)
    loader.load(snapshot(good))
    after, fresh = (each.load(snapshot({**good, "web.yaml": decimal})) for each in (loader, Loader(ADMITTED)))
    assert isinstance(after, Desired)
    assert isinstance(fresh, Desired)
    assert hashes(after) == hashes(fresh)
    assert after.manifests == fresh.manifests
