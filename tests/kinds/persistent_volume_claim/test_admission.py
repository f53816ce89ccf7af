"""A PersistentVolumeClaim that could not mean what it says is refused."""

import pytest

from tests.good_revision import Load

CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1Gi", "0", "/spec/resources/requests/storage impossible-resources"),
        ("[ReadWriteOnce]", "[]", "/spec/accessModes invalid-value"),
        ("[ReadWriteOnce]", "[ReadWriteOncePod, ReadWriteMany]", "/spec/accessModes conflicting-fields"),
        ("{accessModes", "{volumeMode: Block, accessModes", "/spec/volumeMode refused-field"),
        ("{accessModes", "{volumeName: pv-1, accessModes", "/spec/volumeName refused-field"),
        (
            "{name: data}",
            "{name: data, annotations: {reconciler.dev/reclaim-policy: delete}}",
            "/metadata/annotations/reconciler.dev~1reclaim-policy invalid-annotation",
        ),
    ],
)
def test_a_claim_that_means_nothing_is_refused(load: Load, old: str, new: str, expected: str) -> None:
    result = load({"c.yaml": CLAIM.replace(old, new)})
    assert [f"{problem.pointer} {problem.code}" for problem in result.problems] == [expected]
