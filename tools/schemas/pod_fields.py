"""Makes docs/reference/pod-fields.md: every field of a Kubernetes PodSpec, and what becomes of it here."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from reconciler.manifests.schemas import MARK, REFUSED_VALUES
from tools.schemas.upstream import VERSION, Json

HEAD: Final = f"""\
# Fields of a pod

Every field of the PodSpec of Kubernetes {VERSION}, type by type, and what becomes of it here. This page is made
with [`schemas/`](../../schemas), from upstream's own schemas and what we say of them: a test keeps it true.

- **yes**: supported; it does what it does in Kubernetes, and what else is said.
- **warning**: accepted, and changes nothing here; the warning says why.
- **no**: refused with the reason, because leaving it out silently would run something else than you wrote. A value
  that is named is accepted: it is what happens anyway.

What stands in a field that is refused, or warned about, shares its fate. What a field may hold, and which fields
exclude each other, is in the schemas and in the [problems](problems.md). Where upstream takes an empty text or 0
for an absent field (`hostname: ""`, `timeoutSeconds: 0`), so is it taken here.
"""

_ROOT: Final = "PodSpec"


class Field(NamedTuple):
    """One row; `answer` is yes, warning or no."""

    name: str
    answer: str
    note: str


class Section(NamedTuple):
    """One type, with all the places of a pod that have it."""

    type: str
    places: list[str]
    fields: list[Field]


def page(definitions: Mapping[str, Json]) -> str:
    """The whole page; `definitions` are those of `schemas/definitions.json`."""
    parts = [HEAD]
    for section in sections(definitions):
        places = ", ".join(f"`{place}`" for place in section.places)
        parts.append(f"## {section.type}\n\n{places}\n\n| field | | |\n|---|---|---|")
        parts[-1] += "".join(f"\n| `{name}` | {answer} | {note} |" for name, answer, note in section.fields) + "\n"
    return "\n".join(parts)


def sections(definitions: Mapping[str, Json]) -> list[Section]:
    """Every type that a pod can have somewhere, from the outside inwards."""
    found: dict[str, Section] = {}
    waiting = [("spec", _ROOT)]
    while waiting:
        place, name = waiting.pop(0)
        if (section := found.get(name)) is not None:
            section.places.append(place)
            continue
        section = found[name] = Section(definitions[name].get("title", name), [place], [])
        for field, schema in definitions[name]["properties"].items():
            section.fields.append(_row(definitions, field, schema))
            if MARK not in schema and "properties" in definitions.get(inner := _type_of(schema), {}):
                waiting.append((f"{place}.{field}{'[]' if 'items' in schema else ''}", inner))
    return list(found.values())


def _row(definitions: Mapping[str, Json], name: str, field: Json) -> Field:
    inner = definitions.get(_type_of(field), field.get("items", field))
    note = _cell(field.get("description") or inner.get("description", ""))
    if field.get(MARK) == "warn":
        return Field(name, "warning", note)
    if field.get(MARK) == "refuse":
        accepted = [*field.get("enum", ()), *([field["const"]] if "const" in field else ())]
        values = " and ".join(f"`{_as_written(value)}`" for value in accepted)
        return Field(name, "no", f"but for {values}: {note}" if values else note)
    return Field(name, "yes", " ".join([note, *_refused_values(inner)]).strip())


def _type_of(field: Json) -> str:
    """The definition of what the field holds, or of the entries of its list."""
    reference = field.get("$ref") or field.get("items", {}).get("$ref", "")
    return str(reference).rpartition("/")[2]


def _refused_values(schema: Json) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for value, why in schema.get(REFUSED_VALUES, {}).items():
        reasons.setdefault(why, []).append(f"`{value}`")
    for why, values in reasons.items():
        yield f"Not {', '.join(values)}: {_cell(why)}"


def _as_written(value: Any) -> str:
    return value if value and isinstance(value, str) else json.dumps(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
