"""What is published of an object without a status: its metadata, and whether all else of it has changed."""

from reconciler.model.api.meta import ManifestMetadata
from reconciler.model.desired import Desired
from reconciler.model.names import Ref
from reconciler.model.plan import PUBLISHED
from tests.good_revision import Load

SETTINGS = Ref("ConfigMap", "default", "settings")


def metadata(result: object) -> dict[Ref, ManifestMetadata]:
    assert isinstance(result, Desired)
    return dict(result.metadata)


def test_every_object_without_a_status_has_some_and_no_other(load: Load) -> None:
    result = load()
    assert isinstance(result, Desired)
    without = {ref for kind, objects in result.objects.items() if kind not in PUBLISHED for ref in objects}
    assert result.metadata.keys() == without
    assert {"Cluster", "ConfigMap", "Secret"} <= {ref.kind for ref in without}


def test_generations_are_counted_of_the_kinds_of_which_upstream_counts_them(load: Load) -> None:
    counted = {ref.kind: one.counted for ref, one in metadata(load()).items()}
    assert counted == {ref.kind: ref.kind not in ("ConfigMap", "Namespace", "Secret") for ref in metadata(load())}


def test_another_content_has_another_digest_and_another_label_has_not(load: Load, changed: Load) -> None:
    before = metadata(load())[SETTINGS]
    content = metadata(changed("config.yaml", "production", "testing"))[SETTINGS]
    labelled = metadata(changed("config.yaml", "name: settings", "name: settings\n  labels: {a: b}"))[SETTINGS]
    assert content.digest != before.digest
    assert (labelled.digest, labelled.metadata.labels) == (before.digest, {"a": "b"})


def test_of_an_unchanged_object_it_is_the_same_value(load: Load, changed: Load) -> None:
    before = metadata(load())
    after = metadata(changed("config.yaml", "production", "testing"))
    assert all(after[ref] is one for ref, one in before.items() if ref != SETTINGS)
