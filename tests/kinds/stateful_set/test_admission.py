"""Faults of one StatefulSet, and what a good one becomes."""

import pytest

from reconciler.model.api.apps import StatefulSet
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.desired import Desired
from reconciler.model.names import Ref
from tests.good_revision import Faults, Load, hashes

DB = Ref("StatefulSet", "default", "db")
GOOD = """\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
spec:
  serviceName: db
  replicas: 2
  selector:
    matchLabels:
      app: db
  template:
    metadata:
      labels:
        app: db
    spec:
      containers:
        - name: db
          image: db:1
          volumeMounts:
            - name: data
              mountPath: /data
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        accessModes: [ReadWriteOnce]
        resources:
          requests:
            storage: 1Gi
---
apiVersion: v1
kind: Service
metadata:
  name: db
spec:
  clusterIP: None
  selector:
    app: db
"""


def loaded(load: Load, old: str = "", new: str = "") -> Desired:
    assert old in GOOD
    found = load({"db.yaml": GOOD.replace(old, new, 1)})
    assert isinstance(found, Desired), [str(problem) for problem in found.problems]
    return found


def test_a_good_one_is_desired_with_its_claims_and_without_a_warning(load: Load) -> None:
    desired = loaded(load)
    assert desired.warnings == ()
    wanted = desired.of(StatefulSet)[DB]
    assert (wanted.spec.replicas, wanted.spec.pod_management_policy) == (2, "OrderedReady")
    claims = {ref.name for ref in desired.of(PersistentVolumeClaim)}
    assert claims == {"data-db-0", "data-db-1"}
    assert set(desired.owners.values()) == {DB}
    assert not any(ref.kind == "PersistentVolumeClaim" for ref in desired.manifests)


FAULTS = {
    "the selector": (
        "      app: db\n  template",
        "      app: bd\n  template",
        "db.yaml:10:7 /spec/selector/matchLabels selector-mismatch",
    ),
    "the restart policy": (
        "    spec:\n      containers",
        "    spec:\n      restartPolicy: Never\n      containers",
        "db.yaml:16:22 /spec/template/spec/restartPolicy restart-policy",
    ),
    "nothing may be missing": (
        "  replicas: 2",
        "  updateStrategy: {rollingUpdate: {maxUnavailable: 0}}",
        "db.yaml:7:52 /spec/updateStrategy/rollingUpdate/maxUnavailable impossible-rollout",
    ),
    "no rollout to limit": (
        "  replicas: 2",
        "  updateStrategy: {type: OnDelete, rollingUpdate: {partition: 1}}",
        "db.yaml:7:36 /spec/updateStrategy/rollingUpdate conflicting-fields",
    ),
    "no such volume": (
        "            - name: data",
        "            - name: date",
        "db.yaml:20:21 /spec/template/spec/containers/0/volumeMounts/0/name unknown-volume",
    ),
    "a claim that nobody mounts": (
        "            - name: data",
        "            - name: date",
        "db.yaml:24:15 /spec/volumeClaimTemplates/0/metadata/name unknown-volume",
    ),
    "a policy in the wrong place": (
        "        name: data\n",
        "        name: data\n        annotations: {reconciler.dev/reclaim-policy: Delete}\n",
        "db.yaml:25:54 /spec/volumeClaimTemplates/0/metadata/annotations/reconciler.dev~1reclaim-policy not-ours",
    ),
    "a name that is no host name": (
        "  name: db\nspec:\n  serviceName",
        "  name: db.x\nspec:\n  serviceName",
        "db.yaml:4:9 /metadata/name invalid-value",
    ),
    "a name too long for a host name": (
        "  name: db\nspec:\n  serviceName",
        f"  name: {'d' * 62}\nspec:\n  serviceName",
        "db.yaml:4:9 /metadata/name invalid-value",
    ),
    "no such order": (
        "  replicas: 2",
        "  podManagementPolicy: Sequential",
        "db.yaml:7:24 /spec/podManagementPolicy invalid-value",
    ),
    "fewer than none": ("  replicas: 2", "  replicas: -1", "db.yaml:7:13 /spec/replicas invalid-value"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_at_its_place(load: Load, faults: Faults, fault: str) -> None:
    old, new, expected = FAULTS[fault]
    assert old in GOOD
    assert expected in faults(load({"db.yaml": GOOD.replace(old, new, 1)}))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  serviceName: db", "  serviceName: bd", "db.yaml:6:16 /spec/serviceName selects-nothing"),
        ("  clusterIP: None\n", "  ports: [{port: 80}]\n", "db.yaml:6:16 /spec/serviceName selects-nothing"),
    ],
)
def test_a_service_by_which_no_pod_has_a_name_is_told(
    load: Load, faults: Faults, old: str, new: str, expected: str
) -> None:
    assert faults(loaded(load, old, new)) == [expected]


def test_a_service_may_select_one_pod_by_its_own_label(load: Load) -> None:
    one = "  selector:\n    statefulset.kubernetes.io/pod-name: db-1\n"
    assert loaded(load, "  selector:\n    app: db\n", one).warnings == ()


def test_others_may_mount_a_claim_of_it(load: Load) -> None:
    backup = """---
apiVersion: v1
kind: Pod
metadata: {name: backup}
spec:
  containers: [{name: app, image: "app:1", volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data-db-1}}]
"""
    assert isinstance(load({"db.yaml": GOOD + backup}), Desired)


def test_claims_take_the_place_of_volumes_of_the_same_name(load: Load) -> None:
    volumes = "      volumes:\n        - name: data\n          emptyDir: {}\n  volumeClaimTemplates:\n"
    assert loaded(load, "  volumeClaimTemplates:\n", volumes)


def test_what_an_api_server_has_written_is_read(load: Load) -> None:
    template = "    - apiVersion: v1\n      kind: PersistentVolumeClaim\n      metadata:\n"
    template += "        creationTimestamp: null\n"
    status = "      status: {phase: Pending}\n---"
    desired = load({"db.yaml": GOOD.replace("    - metadata:\n", template, 1).replace("---", status, 1)})
    assert isinstance(desired, Desired), desired
    assert hashes(desired)[DB] == hashes(loaded(load))[DB]


def test_what_the_pods_are_is_in_the_hash(load: Load) -> None:
    first = hashes(loaded(load))[DB]
    assert hashes(loaded(load, "replicas: 2", "replicas: 5"))[DB] == first
    assert hashes(loaded(load, "storage: 1Gi", "storage: 2Gi"))[DB] == first
    assert hashes(loaded(load, "image: db:1", "image: db:2"))[DB] != first
    other = GOOD.replace("serviceName: db", "serviceName: web")
    desired = load({"db.yaml": other})
    assert hashes(desired)[DB] != first
