"""Whatever a file holds, the answer is Desired or Rejected; and both validators always agree."""

import copy
import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.manifests.reading.faults import faults_of
from reconciler.manifests.schemas import load_schemas
from reconciler.model.desired import Desired, Rejected, Revision, SourceFile, SourceSnapshot
from tests.good_revision import EVERYTHING

SCHEMAS = load_schemas(tuple(ADMITTED.by_kind))
META = {"name": "a", "labels": {"app": "a"}, "annotations": {"note": "x"}}
SPEC = {
    "containers": [
        {
            "name": "a",
            "image": "a:1",
            "command": ["a"],
            "env": [
                {"name": "A", "value": "b"},
                {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "a", "optional": True}}],
            "ports": [{"containerPort": 80, "name": "http"}],
            "resources": {"requests": {"cpu": "100m", "memory": 5}},
            "livenessProbe": {"tcpSocket": {"port": 80}},
        }
    ],
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "hostNetwork": False,
}
VALID: dict[str, dict[str, Any]] = {
    "Cluster": {"spec": {"podCIDR": "10.0.0.0/8", "ssh": {"port": 22}, "guard": {"maxDeletePercent": 1}}},
    "Node": {
        "metadata": {"name": "n", "annotations": {"reconciler.dev/ssh": "ssh://root@h:22"}},
        "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]},
    },
    "Namespace": {},
    "Pod": {"spec": SPEC},
    "Deployment": {
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": SPEC},
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "10%"}},
        }
    },
    "Service": {"spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": "http"}]}},
    "NetworkPolicy": {
        "spec": {
            "podSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
            "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}],
            "egress": [{"ports": [{"port": 80, "endPort": 90}]}],
        },
    },
    "Ingress": {
        "spec": {
            "ingressClassName": "reconciler",
            "rules": [
                {
                    "host": "*.example.org",
                    "http": {
                        "paths": [
                            {
                                "path": "/a",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "a", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ],
            "tls": [{"hosts": ["*.example.org"], "secretName": "a"}],
        }
    },
    "ConfigMap": {"data": {"a": "b"}, "binaryData": {"c": "AA=="}},
    "PersistentVolumeClaim": {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    },
    "Secret": {"data": {"a": "Yg=="}, "stringData": {"b": "c"}},
}


WHOLE: list[dict[str, Any]] = [
    each for each in yaml.load_all(EVERYTHING, yaml.CSafeLoader) if each["kind"] in VALID
]


def document(kind: str) -> dict[str, Any]:
    version = SCHEMAS[kind].schema["properties"]["apiVersion"]["const"]
    return copy.deepcopy({"apiVersion": version, "kind": kind, "metadata": META, **VALID[kind]})


texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "web\n", "-a", "A", "a" * 300, "1", "no", "10.0.0.0/33", "5%", "None", "\x1b[0m", "é", "a/b"]
    ),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with a key of it."""
    found: list[tuple[Any, Any]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += [(value, key), *places(inner)]
    return found


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    body = draw(
        st.sampled_from([*map(document, VALID), *WHOLE, *(each for each in WHOLE if each["kind"] == "Pod")])
    )
    body = copy.deepcopy(body)
    kind = body["kind"]
    for _ in range(draw(st.integers(0, 3))):
        inside, key = draw(st.sampled_from(places(body)))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                inside[key] = draw(values)
            case "remove":
                del inside[key]
            case "add" if isinstance(inside, dict):
                known = sorted(
                    {
                        name
                        for part in SCHEMAS[kind].schema["$defs"].values()
                        for name in part.get("properties", {})
                    }
                )
                inside[draw(st.one_of(st.sampled_from(known), texts))] = draw(values)
            case _:
                inside.append(draw(values))
        if not places(body):
            break
    return kind, body


@given(mutated())
@settings(max_examples=300, deadline=None)
def test_the_gate_in_rust_and_the_explanation_in_python_agree(mutation: tuple[str, dict[str, Any]]) -> None:
    kind, body = mutation
    schema = SCHEMAS[kind]
    assert schema.full.is_valid(body) == (not any(faults_of(schema, body)))
    if schema.plain.is_valid(body):
        assert schema.full.is_valid(body)


def outcome(*contents: bytes) -> Desired | Rejected:
    files = tuple(SourceFile(f"{n}.yaml", str(content), content) for n, content in enumerate(contents))
    return LOADER.load(SourceSnapshot(Revision("r", "test"), files))


LOADER = Loader(ADMITTED)
CLUSTER = json.dumps(document("Cluster")).encode()


def assert_sound(result: Desired | Rejected) -> None:
    assert isinstance(result, Desired | Rejected)
    problems = result.problems if isinstance(result, Rejected) else result.warnings
    assert isinstance(result, Desired) or problems
    assert list(problems) == sorted(problems, key=lambda problem: problem.place)
    for problem in problems:
        assert problem.fix
        assert str(problem).isprintable()
        assert len(problem.message) < 600


@given(mutated(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_mutated_manifest_is_accepted_or_explained(mutation: tuple[str, dict[str, Any]], as_json: bool) -> None:
    _, body = mutation
    text = json.dumps(body) if as_json else yaml.safe_dump(body)
    assert_sound(outcome(CLUSTER, text.encode("utf-8", "replace")))


PIECES = r"""apiVersion:·v1¶ kind:·Pod¶ metadata:¶ ··name:·a¶ -· ?· :· { } [ ] &a· *a !!x· <<:· ' " |¶ >¶ # ---¶
    ...¶ %YAML·1.1¶ ¶ ·· 010 no a"""
pieces = st.sampled_from(
    [piece.replace("·", " ").replace("¶", "\n") for piece in PIECES.split()] + ["\t", "\u2028", "\x85", "\ufeff"]
)


@given(st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=30).map("".join))
@settings(max_examples=400, deadline=None)
def test_something_like_yaml_is_accepted_or_explained(text: str) -> None:
    assert_sound(outcome(text.encode("utf-8", "replace")))


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_accepted_or_explained(content: bytes) -> None:
    assert_sound(outcome(content))
