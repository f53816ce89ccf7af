"""Writes docs/reference/pod-fields.md: every field of a Kubernetes PodSpec, and what becomes of it here.

`python -m tests.unit.docs.pod_fields` rewrites the page; a test fails where it differs from what would be written.
Upstream's fields are those of the package kubernetes-validate, ours those of `schemas/`.
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple

from reconciler.manifests.schemas import MARK, REFUSED_VALUES, load_schemas

PAGE: Final = Path(__file__).parents[3] / "docs/reference/pod-fields.md"
VERSION: Final = "1.37"
HEAD: Final = f"""\
# Fields of a pod

Every field of the PodSpec of Kubernetes {VERSION}, type by type, and what becomes of it here. This page is made
from [`schemas/`](../../schemas) and from upstream's own schemas: a test keeps it true.

- **yes**: supported; it does what it does in Kubernetes, and what else is said.
- **warning**: accepted, and changes nothing here; the warning says why.
- **no**: refused with the reason, because leaving it out silently would run something else than you wrote. A value
  that is named is accepted: it is what happens anyway.

What stands in a field that is refused, or warned about, shares its fate. What a field may hold, and which fields
exclude each other, is in the schemas and in the [problems](problems.md). Where upstream takes an empty text or 0
for an absent field (`hostname: ""`, `timeoutSeconds: 0`), so is it taken here.
"""

_Schema = dict[str, Any]
_CORE: Final = "io.k8s.api.core.v1."


class Field(NamedTuple):
    """One row; `answer` is yes, warning or no."""

    name: str
    answer: str
    note: str


class Section(NamedTuple):
    """One type of upstream's, at all the places where our schema of it is the same."""

    type: str
    places: list[str]
    fields: list[Field]


class Difference(Exception):
    """The schemas and upstream do not have the same fields."""


def upstream(version: str = VERSION) -> dict[str, _Schema]:
    """The definitions of all types."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    definitions: dict[str, _Schema] = json.loads((folder / "_definitions.json").read_text("utf-8"))["$defs"]
    return definitions


def sections() -> list[Section]:
    """Raises Difference."""
    root = load_schemas()["Pod"].schema
    theirs = upstream()
    found: dict[tuple[str, int], Section] = {}
    waiting = [("spec", "PodSpec", _resolved(root, root["properties"]["spec"]))]
    while waiting:
        place, kind, schema = waiting.pop(0)
        if (section := found.get((kind, id(schema)))) is not None:
            section.places.append(place)
            continue
        section = found[kind, id(schema)] = Section(kind, [place], [])
        known = theirs[_CORE + kind]["properties"]
        if unknown := schema["properties"].keys() ^ known.keys():
            raise Difference(f"{kind} at {place}: {', '.join(sorted(unknown))}")
        for name, field in schema["properties"].items():
            section.fields.extend(_rows(root, name, field))
            inner, step = _part(root, field)
            reference = known[name].get("$ref") or known[name].get("items", {}).get("$ref", "")
            inner_kind = reference.rpartition(".")[2]
            if MARK not in field and "properties" in inner and _CORE + inner_kind in theirs:
                waiting.append((f"{place}.{name}{step}", inner_kind, inner))
    return list(found.values())


def page() -> str:
    parts = [HEAD]
    for section in sections():
        places = ", ".join(f"`{place}`" for place in section.places)
        parts.append(f"## {section.type}\n\n{places}\n\n| field | | |\n|---|---|---|")
        parts[-1] += "".join(f"\n| `{name}` | {answer} | {note} |" for name, answer, note in section.fields) + "\n"
    return "\n".join(parts)


def _rows(root: _Schema, name: str, field: _Schema) -> Iterator[Field]:
    resolved = _resolved(root, field)
    note = _cell(field.get("description") or resolved.get("description", ""))
    if field.get(MARK) == "warn":
        yield Field(name, "warning", note)
    elif field.get(MARK) == "refuse":
        accepted = [*field.get("enum", ()), *([field["const"]] if "const" in field else ())]
        values = " and ".join(f"`{_as_written(value)}`" for value in accepted)
        yield Field(name, "no", f"but for {values}: {note}" if values else note)
    else:
        inner, _ = _part(root, field)
        if not note:
            note = _cell(inner.get("description", ""))
        yield Field(name, "yes", " ".join([note, *_refused_values(inner)]).strip())
        if name in ("requests", "limits"):
            for key, amount in inner["properties"].items():
                yield from _rows(root, f"{name}.{key}", amount)


def _refused_values(schema: _Schema) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for value, why in schema.get(REFUSED_VALUES, {}).items():
        reasons.setdefault(why, []).append(f"`{value}`")
    for why, values in reasons.items():
        yield f"Not {', '.join(values)}: {_cell(why)}"


def _as_written(value: Any) -> str:
    return value if value and isinstance(value, str) else json.dumps(value)


def _part(root: _Schema, field: _Schema) -> tuple[_Schema, str]:
    """What the field holds, or the entries of its list; and `[]` for a list."""
    schema = _resolved(root, field)
    return (_resolved(root, schema["items"]), "[]") if "items" in schema else (schema, "")


def _resolved(root: _Schema, schema: _Schema) -> _Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
