"""What we accept, upstream accepts as well: our manifests are Kubernetes' own objects."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from kubernetes_validate import validate

from reconciler.kinds import ADMITTED
from reconciler.manifests.schemas import MARK, load_schemas
from reconciler.model.desired import Desired
from tests.good_revision import EVERYTHING, GOOD, Faults, Load
from tools.schemas.upstream import VERSION, definitions

ROOT = Path(__file__).parents[3]

Json = Mapping[str, Any]


def documents(text: str) -> list[Json]:
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def samples() -> Iterator[tuple[str, Json]]:
    texts = {path.name: path.read_text() for path in sorted((ROOT / "example-repo").rglob("*.yaml"))}
    for name, text in {"everything": EVERYTHING, **texts, **GOOD}.items():
        for number, document in enumerate(documents(text)):
            if document.get("kind") not in (None, "Cluster"):
                yield f"{name}-{number}-{document['kind']}", document


SAMPLES = dict(samples())


@pytest.mark.parametrize("name", SAMPLES)
def test_upstream_takes_what_we_take(name: str) -> None:
    validate(SAMPLES[name], VERSION, strict=True)


@pytest.mark.parametrize("number", range(len(documents(EVERYTHING))))
def test_upstream_takes_whatever_is_left_out_emptied_or_changed(number: int) -> None:
    """Of the manifest of everything, one value at a time: what we still take, upstream takes."""
    whole = documents(EVERYTHING)[number]
    kind = whole["kind"]
    if kind == "Cluster":
        return
    theirs, ours = _upstream(kind), load_schemas(tuple(ADMITTED.by_kind))[kind].plain
    taken = 0
    for changed in _variants(whole):
        if ours.is_valid(changed):
            taken += 1
            assert [error.message for error in theirs.iter_errors(changed)] == []
    assert taken > 3


def _upstream(kind: str) -> jsonschema_rs.Draft202012Validator:
    group = ADMITTED.by_kind[kind].names.group.partition(".")[0] or "core"
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/$defs/io.k8s.api.{group}.v1.{kind}", "$defs": definitions()}, offline=True
    )


def _variants(value: Any) -> Iterator[Any]:
    """The value with one thing in it, at any depth, left out or replaced."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        without = copy.copy(value)
        del without[key]
        yield without
        for other in (*_variants(value[key]), "", "a", "1", 0, 1, -1, True, False, None, [], {}):
            changed = copy.copy(value)
            changed[key] = other
            yield changed


def test_the_manifest_of_everything_is_accepted(load: Load, faults: Faults) -> None:
    nothing_else = dict.fromkeys(GOOD)
    result = load({**nothing_else, "everything.yaml": EVERYTHING})
    assert faults(result) == []
    assert isinstance(result, Desired)


def test_it_has_every_field_that_is_supported() -> None:
    supported: dict[tuple[int, str], str] = {}
    used: set[tuple[int, str]] = set()
    for kind, compiled in load_schemas(tuple(ADMITTED.by_kind)).items():
        supported |= _supported(compiled.schema, compiled.schema, kind, set())
        for document in documents(EVERYTHING):
            if document["kind"] == kind:
                used |= _used(compiled.schema, compiled.schema, document)
    missing = {place for field, place in supported.items() if field not in used}
    assert {place for place in missing if ".metadata." not in place} == set()


def _supported(root: Json, schema: Json, place: str, seen: set[int]) -> dict[tuple[int, str], str]:
    """Each field, under the schema that it is a field of and its name; with a place of it."""
    schema = _resolved(root, schema)
    if "items" in schema:
        return _supported(root, schema["items"], f"{place}[]", seen)
    if id(schema) in seen:
        return {}
    seen.add(id(schema))
    found = {}
    for name, field in schema.get("properties", {}).items():
        if MARK not in field:
            found[id(schema), name] = f"{place}.{name}"
            found |= _supported(root, field, f"{place}.{name}", seen)
    return found


def _used(root: Json, schema: Json, value: Any) -> set[tuple[int, str]]:
    schema = _resolved(root, schema)
    if isinstance(value, list):
        return set().union(*(_used(root, schema["items"], item) for item in value))
    if not isinstance(value, dict):
        return set()
    known = schema.get("properties", {})
    found = {(id(schema), name) for name in value if name in known}
    return found.union(*(_used(root, known[name], inner) for name, inner in value.items() if name in known))


def _resolved(root: Json, schema: Json) -> Json:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema
