"""Which fields take any text at all; whatever else is a text, no shell, file name or option can be made of it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.kinds import ADMITTED
from reconciler.manifests.schemas import MARK, load_schemas

HOSTILE = (
    "$(touch /tmp/x)",
    "`touch /tmp/x`",
    "a;touch /tmp/x",
    "a b",
    "a\nb",
    "a\n",
    "'",
    '"',
    "-oProxyCommand=touch",
    "--upload-pack=x",
    "-v",
    "../../etc/passwd",
    "\x1b[2J",
    "a\x00b",
    "%s{0}",
)
ANY_TEXT = {
    # Environment and arguments: values in Docker's JSON, never part of a command line.
    "command",
    "args",
    "value",
    "workingDir",
    "data",
    "stringData",
    "binaryData",
    "prefix",
    "annotations",
    # Only told of: nothing is done with it.
    "type",
}


def _texts(
    part: Any, definitions: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every schema of a text, with the names of the fields that lead to it."""
    if not isinstance(part, dict) or part.get(MARK):
        return
    if "$ref" in part:
        yield from _texts(definitions[part["$ref"].rpartition("/")[2]], definitions, path)
    if part.get("type") == "string" or "string" in (part.get("type") or ()):
        yield path, part
    for key in ("items", "additionalProperties", "propertyNames"):
        yield from _texts(part.get(key), definitions, path)
    for key in ("allOf", "anyOf", "oneOf"):
        for item in part.get(key, ()):
            yield from _texts(item, definitions, path)
    for key in ("properties", "patternProperties"):
        for name, field in part.get(key, {}).items():
            yield from _texts(field, definitions, (*path, name))


@pytest.mark.fault(26)
@pytest.mark.rule(5)
@pytest.mark.parametrize("kind", ADMITTED.by_kind)
def test_a_field_that_is_not_free_text_takes_nothing_hostile(kind: str) -> None:
    schema = load_schemas(tuple(ADMITTED.by_kind))[kind].schema
    found = list(_texts(schema, schema["$defs"]))
    assert found
    for path, text in found:
        # A variable, and a key of a ConfigMap, may be called `-v` in Kubernetes, too.
        if ANY_TEXT & set(path) or path[-2:] == ("env", "name") or path[-1:] == ("key",):
            continue
        accepted = [one for one in HOSTILE if _accepts(text, one)]
        assert not accepted, f"{kind} {'/'.join(path)} takes {accepted}"


def _accepts(schema: dict[str, Any], text: str) -> bool:
    if "enum" in schema or "const" in schema:
        return text in schema.get("enum", [schema.get("const")])
    return "pattern" not in schema or re.fullmatch(schema["pattern"], text) is not None
