"""Files that are not read as manifests: each is a problem with its place, and rejects the revision whole."""

import time

import pytest

from reconciler.manifests.reading.file_reader import LARGEST_FILE
from reconciler.model.desired import Rejected
from tests.good_revision import Faults, Load


def alias_bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines)


TEXT_BOMB = "a: &a " + "x" * 4000 + "\nb: [" + ", ".join(["*a"] * 4000) + "]\n"


@pytest.mark.fault(17)
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("kind: Pod\n  bad: x\n", "x.yaml:2:6  syntax"),
        ("a: [1, 2\n", "x.yaml:2:1  syntax"),
        ("a: 'open\n", "x.yaml:2:1  syntax"),
        ("a: \t- b\n", "x.yaml:1:5  syntax"),
        ("a: @b\n", "x.yaml:1:4  syntax"),
        ("a: *nowhere\n", "x.yaml:1:4  syntax"),
        (b"\x7fELF\x02\x01\x01\x00", "x.yaml:1:1  control-character"),
        (b"kind: Pod\nname: \xff\xfe\x00", "x.yaml:2:7  not-utf8"),
        ("kind: Pod\n".encode("utf-16"), "x.yaml:1:1  not-utf8"),
        ("kind: Pod\n".encode("utf-16-le"), "x.yaml:1:2  control-character"),
        ("kind: Pod\nname: a\0b\n", "x.yaml:2:8  control-character"),
        ("kind: \x1b[31mPod\n", "x.yaml:1:7  control-character"),
        ("- " * 100 + "a\n", "x.yaml:1:129  nesting-too-deep"),
        ("- " * 10_000 + "a\n", "x.yaml:1:129  nesting-too-deep"),
        ("[" * 10_000, "x.yaml:1:65  nesting-too-deep"),
        ("{a: " * 100_000, "x.yaml:1:257  nesting-too-deep"),
        ("[" + "a," * 200_000 + "]", "x.yaml:1:100000  too-many-values"),
        (alias_bomb(), "x.yaml:6:5  alias-bomb"),
        (TEXT_BOMB, "x.yaml:2:4  alias-bomb"),
        ("a: &a [*a]\n", "x.yaml:1:4  nesting-too-deep"),
        (b" " * (LARGEST_FILE + 1), "x.yaml  file-too-large"),
        (b"a" * 100_000_000, "x.yaml  file-too-large"),
        ("just text\n", "x.yaml:1:1  not-an-object"),
        ("- a\n- b\n", "x.yaml:1:1  not-an-object"),
        ("resources:\n  - web.yaml\n", "x.yaml:1:1  not-an-object"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 3\n", "x.yaml:1:1  not-an-object"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused_at_its_place(
    load: Load, faults: Faults, content: str | bytes, expected: object
) -> None:
    started = time.process_time()
    result = load({"x.yaml": content})
    assert time.process_time() - started < 2
    assert isinstance(result, Rejected)
    assert faults(result) == [expected]


@pytest.mark.fault(1)
def test_an_empty_revision_is_refused(load: Load, faults: Faults, good: dict[str, str]) -> None:
    assert faults(load(dict.fromkeys(good))) == [".  empty-revision"]
    assert faults(load({**dict.fromkeys(good), "a.yaml": "# nothing\n---\n"})) == [".  empty-revision"]


@pytest.mark.fault(5)
def test_one_bad_file_rejects_all_and_every_problem_is_told_in_order(
    load: Load, faults: Faults, good: dict[str, str]
) -> None:
    files = {
        "a.yaml": "kind: [\n",
        "web.yaml": good["web.yaml"].replace("replicas: 2", "replicas: two").replace("image", "imgae"),
        "z.yaml": good["config.yaml"].replace("settings", "more") + "---\nkind: Pdo\napiVersion: v1\n",
    }
    assert faults(load(files)) == [
        "a.yaml:2:1  syntax",
        "web.yaml:6:13 /spec/replicas wrong-type",
        "web.yaml:16:11 /spec/template/spec/containers/0 missing-field",
        "web.yaml:17:11 /spec/template/spec/containers/0/imgae unknown-field",
        "z.yaml:8:7 /kind unknown-kind",
    ]


@pytest.mark.parametrize(
    ("text", "pointer", "code", "fix"),
    [
        ("kind: Deploymnt\napiVersion: apps/v1\n", "/kind", "unknown-kind", "did you mean Deployment?"),
        ("kind: CronJob\napiVersion: batch/v1\n", "/kind", "unknown-kind", "nothing here starts at set times"),
        (
            "kind: ServiceAccount\napiVersion: v1\n",
            "/kind",
            "unknown-kind",
            "leave it out: there is no API server",
        ),
        ("kind: PersistentVolume\napiVersion: v1\n", "/kind", "unknown-kind", "leave it out: a claim is a Docker"),
        ("kind: ConfigMapList\napiVersion: v1\n", "/kind", "unknown-kind", "a document of its own"),
        ("kind: Endpoints\napiVersion: v1\n", "/kind", "unknown-kind", "write an EndpointSlice"),
        ("kind: configmap\napiVersion: v1\n", "/kind", "unknown-kind", "did you mean ConfigMap?"),
        ("kind: Widget\napiVersion: a/v1\n", "/kind", "unknown-kind", "known kinds: Cluster, Node"),
        ("kind: ''\napiVersion: v1\n", "/kind", "unknown-kind", "known kinds: Cluster, Node"),
        ("kind:\napiVersion: v1\n", "/kind", "unknown-kind", "known kinds: Cluster, Node"),
        ("kind: [Pod]\napiVersion: v1\n", "/kind", "unknown-kind", "known kinds: Cluster, Node"),
        ("kind: List\napiVersion: v1\nitems: []\n", "/kind", "unknown-kind", "a document of its own"),
        (
            "kind: Deployment\napiVersion: extensions/v1beta1\n",
            "/apiVersion",
            "wrong-api-version",
            "write apps/v1",
        ),
        ("kind: Pod\n", "", "missing-field", "add apiVersion: v1"),
        ("apiVersion: v1\n", "", "not-an-object", "add kind"),
    ],
)
def test_a_kind_that_is_not_known_here_is_refused_with_a_fix(
    load: Load, text: str, pointer: str, code: str, fix: str
) -> None:
    (problem,) = load({"x.yaml": text}).problems
    assert (problem.pointer, problem.code) == (pointer, code)
    assert fix in problem.fix


def test_what_a_broken_file_may_hold_is_not_reported_as_missing(
    load: Load, faults: Faults, good: dict[str, str]
) -> None:
    assert faults(load({"config.yaml": "kind: [\n"})) == ["config.yaml:2:1  syntax"]
    assert faults(load({"node.yaml": good["node.yaml"].replace("name: node-1", "name: NODE")})) == [
        "node.yaml:4:9 /metadata/name invalid-value"
    ]
    assert faults(load({"config.yaml": good["config.yaml"] + "  other: 1\n"})) == [
        "config.yaml:7:10 /data/other wrong-type"
    ]


def test_a_thousand_problems_of_one_document_are_enough(load: Load, good: dict[str, str]) -> None:
    wrong = good["config.yaml"] + "".join(f"  key-{n}: {n}\n" for n in range(20_000))
    started = time.process_time()
    assert len(load({"config.yaml": wrong}).problems) == 1000
    assert time.process_time() - started < 2
