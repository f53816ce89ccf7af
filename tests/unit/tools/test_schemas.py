"""What is made from upstream's shapes, our types and the overlays is what is checked in; no field is left open."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from reconciler.kinds import Kind
from reconciler.model.kinds import Names
from tools.schemas.generate import SHARED, Generator, Unclassified
from tools.schemas.outputs import ROOT, outputs
from tools.schemas.overlay import Overlays, WrongOverlay, read_overlays
from tools.schemas.upstream import definitions

OUTPUTS = outputs()
OBJECT_META = definitions()["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]["properties"]
META = {"ObjectMeta": {"fields": {name: {"warn": "…"} for name in OBJECT_META}}}
REST: dict[str, Any] = {"overhead": {"warn": "a"}, "scheduling": {"refuse": "b", "but": [{}]}}


class Meta(Struct):
    name: str


class RuntimeClass(Struct):
    """A kind that upstream has and the reconciler has not."""

    metadata: Meta
    handler: str


KIND = Kind(names=Names(kind="RuntimeClass", plural="runtimeclasses", group="node.k8s.io"), type=RuntimeClass)


def made(fields: Mapping[str, Any], *, types: Mapping[str, Any] = {}, **said: Any) -> dict[str, Any]:
    overlay = {"RuntimeClass": {"fields": fields, **said}, **META, **types}
    overlays = msgspec.convert({"types": overlay}, Overlays)
    schema: dict[str, Any] = Generator([KIND], overlays).files()["runtimeclass.json"]
    return schema


@pytest.mark.parametrize("path", OUTPUTS)
def test_what_is_checked_in_is_what_would_be_made(path: str) -> None:
    assert (ROOT / path).read_text("utf-8") == OUTPUTS[path], "run `make schemas`"


def test_no_schema_is_checked_in_that_nothing_makes() -> None:
    checked_in = {f"schemas/{path.name}" for path in (ROOT / "schemas").glob("*.json")}
    assert checked_in == {path for path in OUTPUTS if path.startswith("schemas/")}


def test_no_sentence_is_upstreams() -> None:
    """What the editor shows is in wording of our own."""
    theirs = {text for definition in definitions().values() for text in descriptions(definition)}
    ours = {text for name, schema in Generator().files().items() for text in descriptions(schema)}
    assert len(ours) > 300
    assert ours & theirs == set()


def descriptions(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["description"]} if isinstance(part.get("description"), str) else set()
        return own.union(*map(descriptions, part.values()))
    return set().union(*map(descriptions, part)) if isinstance(part, list) else set()


def test_a_field_is_supported_where_the_type_has_it_and_else_as_its_overlay_says() -> None:
    properties = made(REST)["properties"]
    assert list(properties) == ["apiVersion", "kind", "overhead", "scheduling", "metadata", "handler"]
    assert properties["apiVersion"] == {"const": "node.k8s.io/v1"}
    assert properties["handler"] == {"type": "string"}
    assert properties["overhead"] == {"description": "a", "x-reconciler": "warn"}
    assert properties["scheduling"] == {"description": "b", "x-reconciler": "refuse", "const": {}}


def test_a_field_of_upstreams_about_which_nothing_is_decided_is_an_error() -> None:
    with pytest.raises(Unclassified, match=r"^RuntimeClass\.scheduling$"):
        made({"overhead": REST["overhead"]})


def test_what_upstream_requires_is_required_and_more_can_be() -> None:
    assert made(REST)["required"] == ["apiVersion", "kind", "metadata", "handler"]
    more = ["handler", "overhead"]
    assert made(REST, required=more)["required"] == ["apiVersion", "kind", "metadata", *more]
    with pytest.raises(WrongOverlay, match="RuntimeClass does not require what upstream does: handler"):
        made(REST, required=["overhead"])


@pytest.mark.parametrize(
    ("fields", "types", "told"),
    [
        ({"handlre": {"warn": "a"}}, {}, "RuntimeClass has no field handlre"),
        ({}, {"PodSpec": {}}, "no kind has a field of the type PodSpec"),
    ],
)
def test_an_overlay_of_what_does_not_exist_is_an_error(
    fields: dict[str, Any], types: dict[str, Any], told: str
) -> None:
    with pytest.raises(WrongOverlay, match=told):
        made({**REST, **fields}, types=types)


def test_a_word_that_an_overlay_does_not_know_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text("types: {Pod: {fields: {spec: {refused: never}}}}")
    with pytest.raises(WrongOverlay, match=r"pod\.yaml: .*refused"):
        read_overlays(tmp_path)


def test_a_type_is_described_in_one_file(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("types: {Pod: {}}")
    with pytest.raises(WrongOverlay, match=r"b\.yaml: Pod is in another file, too"):
        read_overlays(tmp_path)


def test_a_type_like_another_has_its_fields_in_their_order(tmp_path: Path) -> None:
    text = """\
        types:
          Meta: {required: [a], fields: {a: A name., b: }}
          Other: {like: Meta, fields: {b: {warn: why}, c: }}
    """
    (tmp_path / "a.yaml").write_text(dedent(text))
    other = read_overlays(tmp_path).types["Other"]
    assert list(other.fields) == ["a", "b", "c"]
    assert (other.fields["a"].says, other.fields["b"].warn, other.required) == ("A name.", "why", ("a",))


def test_types_of_two_shapes_need_two_names() -> None:
    """A selector of a workload is less than that of a policy: the overlays give it a name of its own."""
    schemas = Generator().files()
    assert "WorkloadSelector" in schemas[SHARED]["$defs"]
    overlays = read_overlays()
    spec = overlays.types["DeploymentSpec"]
    selector = msgspec.structs.replace(spec.fields["selector"], type="")
    spec = msgspec.structs.replace(spec, fields={**spec.fields, "selector": selector})
    one_name = Generator(overlays=Overlays(overlays.formats, {**overlays.types, "DeploymentSpec": spec}))
    with pytest.raises(WrongOverlay, match="LabelSelector is both"):
        one_name.files()
