"""Volumes, and what is in them: sources, paths, keys, claims and logins."""

import pytest

from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.desired import Desired, Rejected
from reconciler.model.names import Ref
from tests.good_revision import Faults, Load
from tests.kinds.persistent_volume_claim.test_admission import CLAIM
from tests.kinds.pod.test_admission import C, pod
from tests.kinds.secret.test_admission import LOGIN

V = "/spec/volumes/0"


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ("{name: v}", f"{V} conflicting-fields"),
        ("{name: v, emptyDir: {}, hostPath: {path: /a}}", f"{V} conflicting-fields"),
        ("{name: v, emptyDir: {}}, {name: v, emptyDir: {}}", "/spec/volumes/1/name duplicate-name"),
        ("{name: v, configMap: {name: nothing}}", f"{V}/configMap/name dangling-reference"),
        ("{name: v, secret: {secretName: nothing}}", f"{V}/secret/secretName dangling-reference"),
        (
            "{name: v, configMap: {name: settings, items: [{key: NODE, path: a}]}}",
            f"{V}/configMap/items/0/key missing-key",
        ),
        (
            "{name: v, configMap: {name: settings, items: [{key: MODE, path: ../a}]}}",
            f"{V}/configMap/items/0/path invalid-value",
        ),
        (
            "{name: v, configMap: {name: settings, items: [{key: MODE, path: ..a}]}}",
            f"{V}/configMap/items/0/path invalid-value",
        ),
        (
            "{name: v, configMap: {name: settings, items: [{key: MODE, path: /a}]}}",
            f"{V}/configMap/items/0/path invalid-value",
        ),
        (
            "{name: v, configMap: {name: settings, items: [{key: MODE, path: a}, {key: MODE, path: a/}]}}",
            f"{V}/configMap/items/1/path duplicate-path",
        ),
        (
            "{name: v, secret: {secretName: passwords, items: [{key: user, path: a/b}, {key: token, path: a}]}}",
            f"{V}/secret/items/1/path duplicate-path",
        ),
        ("{name: v, secret: {secretName: passwords, defaultMode: 512}}", f"{V}/secret/defaultMode invalid-value"),
        (
            "{name: v, persistentVolumeClaim: {claimName: nothing}}",
            f"{V}/persistentVolumeClaim/claimName dangling-reference",
        ),
        ("{name: v, hostPath: {path: a}}", f"{V}/hostPath/path invalid-value"),
        ("{name: v, hostPath: {path: /a/../b}}", f"{V}/hostPath/path invalid-value"),
        ("{name: v, nfs: {server: a, path: /b c}}", f"{V}/nfs/path invalid-value"),
        ("{name: v, emptyDir: {medium: Memory, sizeLimit: 0}}", f"{V}/emptyDir/sizeLimit invalid-value"),
        ("{name: v, downwardAPI: {items: [{path: a}]}}", f"{V}/downwardAPI/items/0 conflicting-fields"),
        (
            "{name: v, downwardAPI: {items: [{path: a, fieldRef: {fieldPath: status.podIP}}]}}",
            f"{V}/downwardAPI/items/0/fieldRef/fieldPath invalid-value",
        ),
        (
            "{name: v, downwardAPI: {items: [{path: a, resourceFieldRef: {resource: limits.cpu}}]}}",
            f"{V}/downwardAPI/items/0/resourceFieldRef missing-field",
        ),
        (
            "{name: v, projected: {sources: [{secret: {name: passwords, items: [{key: no, path: a}]}}]}}",
            f"{V}/projected/sources/0/secret/items/0/key missing-key",
        ),
        (
            "{name: v, projected: {sources: [{configMap: {name: settings, items: [{key: MODE, path: a}]}}, "
            "{downwardAPI: {items: [{path: a, fieldRef: {fieldPath: metadata.uid}}]}}]}}",
            f"{V}/projected/sources/1/downwardAPI/items/0/path duplicate-path",
        ),
        ("{name: v, projected: {sources: [{}]}}", f"{V}/projected/sources/0 invalid-value"),
    ],
)
def test_a_volume_that_could_not_be_made_is_refused(load: Load, volume: str, expected: str) -> None:
    result = load({"p.yaml": pod(f"volumes: [{volume}]").replace("key: no,", 'key: "no",')})
    assert isinstance(result, Rejected)
    assert expected in [f"{problem.pointer} {problem.code}" for problem in result.problems]


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("{name: x, mountPath: /a}", f"{C}/volumeMounts/0/name unknown-volume"),
        ("{name: v, mountPath: a}", f"{C}/volumeMounts/0/mountPath invalid-value"),
        ("{name: v, mountPath: /}", f"{C}/volumeMounts/0/mountPath invalid-value"),
        ("{name: v, mountPath: '/a:b'}", f"{C}/volumeMounts/0/mountPath invalid-value"),
        ("{name: v, mountPath: /a/../b}", f"{C}/volumeMounts/0/mountPath invalid-value"),
        ("{name: v, mountPath: /a}, {name: v, mountPath: /a/}", f"{C}/volumeMounts/1/mountPath duplicate-path"),
        ("{name: v, mountPath: /a, subPath: /b}", f"{C}/volumeMounts/0/subPath invalid-value"),
        ("{name: v, mountPath: /a, subPath: b/..}", f"{C}/volumeMounts/0/subPath invalid-value"),
        ("{name: v, mountPath: /a, subPathExpr: $(A/b}", f"{C}/volumeMounts/0/subPathExpr invalid-value"),
        ("{name: v, mountPath: /a, subPathExpr: $(1)/b}", f"{C}/volumeMounts/0/subPathExpr missing-key"),
        ("{name: v, mountPath: /a, subPathExpr: $(A)/b}", f"{C}/volumeMounts/0/subPathExpr missing-key"),
        (
            "{name: v, mountPath: /a, subPath: b, subPathExpr: c}",
            f"{C}/volumeMounts/0/subPathExpr conflicting-fields",
        ),
        (
            "{name: v, mountPath: /a, mountPropagation: Bidirectional}",
            f"{C}/volumeMounts/0/mountPropagation refused-field",
        ),
    ],
)
def test_a_mount_that_could_not_be_made_is_refused(load: Load, mounts: str, expected: str) -> None:
    result = load({"p.yaml": pod("volumes: [{name: v, emptyDir: {}}]", f"volumeMounts: [{mounts}]")})
    assert isinstance(result, Rejected)
    assert expected in [f"{problem.pointer} {problem.code}" for problem in result.problems]


def test_volumes_of_every_kind_are_taken(load: Load, faults: Faults) -> None:
    spec = """\
volumes:
  - {name: a, configMap: {name: settings, defaultMode: 292, items: [{key: MODE, path: x/mode, mode: 256}]}}
  - {name: b, secret: {secretName: passwords}}
  - {name: c, secret: {secretName: nothing, optional: true}}
  - {name: d, downwardAPI: {items: [{path: l, fieldRef: {fieldPath: metadata.labels}}]}}
  - {name: e, projected: {sources: [{configMap: {name: settings}}, {secret: {name: passwords}}]}}
  - {name: f, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  - {name: g, persistentVolumeClaim: {claimName: data}}
  - {name: h, nfs: {server: files.example.org, path: /srv/data}}
imagePullSecrets: [{name: login}]"""
    mounts = ", ".join(f"{{name: {name}, mountPath: /v/{name}}}" for name in "abcdefgh")
    result = load(
        {
            "p.yaml": pod(
                spec,
                "env: [{name: A, value: a}]\n"
                f"volumeMounts: [{mounts}, {{name: g, mountPath: /w, subPathExpr: $(A)/b}}]",
            ),
            "c.yaml": CLAIM,
            "l.yaml": LOGIN,
        }
    )
    assert faults(result) == []
    assert isinstance(result, Desired)
    assert set(result.of(PersistentVolumeClaim)) == {Ref("PersistentVolumeClaim", "default", "data")}


def test_a_login_is_there_and_of_its_type(load: Load, faults: Faults) -> None:
    text = pod("imagePullSecrets: [{name: passwords}, {name: nothing}]")
    assert [fault.partition(" ")[2] for fault in faults(load({"p.yaml": text}))] == [
        "/spec/imagePullSecrets/0/name invalid-login",
        "/spec/imagePullSecrets/1/name dangling-reference",
    ]


BINARY = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: bytes}
data: {text: AP8=}
binaryData: {raw: AP8=}
---
apiVersion: v1
kind: Secret
metadata: {name: bytes}
data: {raw: AP8=, nul: YQBi, over: AP8=}
stringData: {over: text}
"""


def test_binary_values_are_for_files(load: Load) -> None:
    desired = load({"b.yaml": BINARY})
    config = desired.of(ConfigMap)[Ref("ConfigMap", "default", "bytes")]
    secret = desired.of(Secret)[Ref("Secret", "default", "bytes")]
    assert config.binary_data == {"raw": b"\x00\xff"}
    assert {key: value.reveal() for key, value in secret.binary_data.items()} == {"raw": "AP8=", "nul": "YQBi"}
    assert {key: value.reveal() for key, value in secret.data.items()} == {"over": "text"}
    written = desired.manifests[Ref("Secret", "default", "bytes")]
    assert set(written["data"]) == {"raw", "nul", "over"}
    assert "binaryData" not in written
    assert "AP8=" not in str(written)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (
            "env: [{name: A, valueFrom: {secretKeyRef: {name: bytes, key: raw}}}]",
            [f"{C}/env/0/valueFrom/secretKeyRef/key not-text"],
        ),
        (
            "env: [{name: A, valueFrom: {configMapKeyRef: {name: bytes, key: raw}}}]",
            [f"{C}/env/0/valueFrom/configMapKeyRef/key not-text"],
        ),
        ("envFrom: [{secretRef: {name: bytes}}]", [f"{C}/envFrom/0/secretRef/name not-text"] * 2),
        ("envFrom: [{configMapRef: {name: bytes}}]", []),
    ],
)
def test_a_variable_holds_text_only(load: Load, faults: Faults, container: str, expected: list[str]) -> None:
    found = faults(load({"b.yaml": BINARY, "p.yaml": pod("", container)}))
    assert [fault.partition(" ")[2] for fault in found] == expected


def test_a_digest_changes_with_the_contents_and_with_nothing_else(load: Load, good: dict[str, str]) -> None:
    config, secret = Ref("ConfigMap", "default", "settings"), Ref("Secret", "default", "passwords")
    first = load()
    assert set(first.digests) == {config, secret}
    labelled = load(
        {"config.yaml": good["config.yaml"].replace("  name: settings", "  name: settings\n  labels: {a: b}")}
    )
    assert labelled.digests == first.digests
    other = load({"secret.yaml": good["secret.yaml"].replace("admin", "root")})
    assert other.digests[config] == first.digests[config]
    assert other.digests[secret] != first.digests[secret]
    text, raw = (
        load({"config.yaml": good["config.yaml"].replace("data:\n  MODE: production", f"{field}:\n  MODE: AA==")})
        for field in ("data", "binaryData")
    )
    assert text.digests[config] != raw.digests[config]
    assert set(load({"secret.yaml": None, "web.yaml": None, "web-service.yaml": None}).digests) == {config}


def test_contents_of_volumes_make_new_pods_only_where_asked(load: Load, good: dict[str, str]) -> None:
    plain = pod("volumes: [{name: v, configMap: {name: settings}}]")
    noted = plain.replace("{name: p}", "{name: p, annotations: {reconciler.dev/restart-on-change: 'true'}}")
    ref = Ref("Pod", "default", "p")
    changed = good["config.yaml"].replace("production", "test")
    for text, same in ((plain, True), (noted, False)):
        before, after = (load({"p.yaml": text, **files}) for files in ({}, {"config.yaml": changed}))
        assert (before.templates[ref].hash == after.templates[ref].hash) is same


def test_variables_of_init_containers_make_new_pods(load: Load, good: dict[str, str]) -> None:
    text = pod("initContainers: [{name: i, image: a, envFrom: [{configMapRef: {name: settings}}]}]")
    changed = good["config.yaml"].replace("production", "test")
    before, after = (load({"p.yaml": text, **files}) for files in ({}, {"config.yaml": changed}))
    ref = Ref("Pod", "default", "p")
    assert before.templates[ref].hash != after.templates[ref].hash
