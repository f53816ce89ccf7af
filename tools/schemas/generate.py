"""Puts shape, support and reasons together: the schemas, as they are checked in.

A field is refused, or warned about, where its overlay says so; it is supported where our type has it, or its
overlay accepts it. One of upstream's that is neither is an error: somebody has to decide what becomes of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import UNSET, Struct, UnsetType

from reconciler.kinds import KINDS, Kind
from reconciler.manifests.schemas import EMPTY, MARK, REFUSED_VALUES
from tools.schemas.overlay import FieldOverlay, Overlays, TypeOverlay, WrongOverlay, read_overlays
from tools.schemas.upstream import (
    Json,
    definitions,
    is_ours,
    is_quantity,
    name_of,
    own_definitions,
    plain,
    referred,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SHARED: Final = "definitions.json"
_TYPE_META: Final = ("apiVersion", "kind")
_QUANTITY: Final = "quantity"


class Unclassified(Exception):
    """Fields of upstream's that are neither supported, nor warned about, nor refused."""


class _Source(Struct, frozen=True):
    """What a definition is made from."""

    name: str
    """Upstream's, or that of a struct of ours."""
    struct: type[Struct] | None
    """None: we have no type of it, and what is accepted of it changes nothing."""


class Generator:
    """Makes the schemas of the kinds that have an overlay."""

    def __init__(self, kinds: Sequence[Kind[Any]] = KINDS, overlays: Overlays | None = None) -> None:
        self._overlays = read_overlays() if overlays is None else overlays
        self._kinds = [kind for kind in kinds if kind.names.kind in self._overlays.types]
        self._shapes = dict(definitions())
        for kind in self._kinds:
            if is_ours(kind):
                self._shapes |= own_definitions(kind)
        self._sources: dict[str, _Source] = {}
        self._definitions: dict[str, Json] = {}
        self._unclassified: list[str] = []

    def files(self) -> dict[str, Json]:
        """The schemas by the names of their files. Raises Unclassified, WrongOverlay."""
        made = {f"{kind.names.singular}.json": self._kind(kind) for kind in self._kinds}
        if self._unclassified:
            raise Unclassified(", ".join(self._unclassified))
        if idle := self._overlays.types.keys() - self._sources.keys() - self._models():
            raise WrongOverlay(f"no kind has a field of the type {', '.join(sorted(idle))}")
        made[SHARED] = {
            "$schema": DIALECT,
            "title": "Definitions shared by the schemas of all kinds",
            "$defs": {**self._overlays.formats, **dict(sorted(self._definitions.items()))},
        }
        made["manifest.json"] = self._any_manifest()
        return made

    def _kind(self, kind: Kind[Any]) -> Json:
        names = kind.names
        source = _Source(names.kind if is_ours(kind) else name_of(kind), kind.type)
        made = self._object(names.kind, source, dict.fromkeys(_TYPE_META, str))
        properties = made["properties"]
        properties |= {"apiVersion": {"const": names.api_version}, "kind": {"const": names.kind}}
        required = [*_TYPE_META, "metadata", *(name for name in made.get("required", ()) if name != "metadata")]
        head = {"$schema": DIALECT, "title": names.kind}
        schema: Json = _outward({**head, **made, "required": required, "properties": properties})
        return schema

    def _any_manifest(self) -> Json:
        return {
            "$schema": DIALECT,
            "title": "Any manifest",
            "description": "For editors: decides by `kind`.",
            "type": "object",
            "required": [*_TYPE_META, "metadata"],
            "properties": {"kind": {"enum": [kind.names.kind for kind in self._kinds]}},
            "allOf": [
                {
                    "if": {"properties": {"kind": {"const": kind.names.kind}}, "required": ["kind"]},
                    "then": {"$ref": f"{kind.names.singular}.json"},
                }
                for kind in self._kinds
            ],
        }

    def _models(self) -> set[str]:
        return {overlay.like for overlay in self._overlays.types.values()}

    def _object(self, name: str, source: _Source, meta: Mapping[str, Any] = {}) -> Json:
        """The schema of a type, under the name that the overlays have for it.

        `meta` are fields that manifests have and our type does not need: by them it was found.
        """
        self._sources[name] = source
        overlay = self._overlays.types.get(name, TypeOverlay())
        shape = self._shapes[source.name]
        known: Mapping[str, Json] = shape["properties"]
        ours = {**meta, **_fields_of(source.struct)}
        for field in overlay.fields.keys() - known.keys():
            if not overlay.fields[field].former:
                raise WrongOverlay(f"{name} has no field {field}")
        theirs = source.name.rpartition(".")[2]
        made: Json = {"type": "object"} if name == theirs else {"title": theirs, "type": "object"}
        if overlay.says:
            made["description"] = overlay.says
        if required := self._required(name, overlay, shape):
            made["required"] = required
        made |= overlay.words()
        made["properties"] = {
            field: self._field(f"{name}.{field}", known.get(field, {}), ours.get(field), overlay.of(field))
            for field in dict.fromkeys([*meta, *overlay.fields, *(name for name in ours if name in known), *known])
        }
        made["additionalProperties"] = False
        return made

    def _required(self, name: str, overlay: TypeOverlay, shape: Json) -> list[str]:
        theirs: list[str] = shape.get("required", [])
        if overlay.required is UNSET:
            return theirs
        if left_out := set(theirs) - set(overlay.required):
            raise WrongOverlay(f"{name} does not require what upstream does: {', '.join(sorted(left_out))}")
        return list(overlay.required)

    def _field(self, place: str, shape: Json, ours: Any, overlay: FieldOverlay) -> Json:
        if overlay.warn:
            return {"description": overlay.warn, MARK: "warn", **_emptiness(overlay)}
        if overlay.refuse:
            return {"description": overlay.refuse, MARK: "refuse", **_accepted(overlay.but)}
        if ours is None and not overlay.accept:
            self._unclassified.append(place)
            return {}
        return self._supported(shape, ours, overlay)

    def _supported(self, shape: Json, ours: Any, overlay: FieldOverlay) -> Json:
        made: Json = {}
        if overlay.format:
            made["$ref"] = f"#/$defs/{overlay.format}"
        elif (inner := referred(shape)) and "properties" in self._shapes.get(inner, {}):
            reference = {"$ref": f"#/$defs/{self._refer(overlay.type, inner, ours)}"}
            made |= {"type": "array", "items": reference} if "items" in shape else reference
        elif is_quantity(inner):
            made["$ref"] = f"#/$defs/{_QUANTITY}"
        else:
            made |= self._value(shape, ours, overlay)
        if overlay.says:
            made["description"] = overlay.says
        made |= overlay.words()
        if overlay.refused_values:
            made[REFUSED_VALUES] = dict(overlay.refused_values)
        return made | _emptiness(overlay)

    def _value(self, shape: Json, ours: Any, overlay: FieldOverlay) -> Json:
        """The schema of a plain value, or of a list or map of such."""
        if overlay.const is not UNSET:
            return {}
        made = plain(self._shapes.get(referred(shape), shape) if "$ref" in shape else shape)
        entries = FieldOverlay() if isinstance(overlay.items, UnsetType) else overlay.items
        if made.get("type") == "array":
            made["items"] = self._supported(shape["items"], _entry_of(ours), entries)
        elif made.get("type") == "object":
            if overlay.keys:
                made["propertyNames"] = {"$ref": f"#/$defs/{overlay.keys}"}
            made["additionalProperties"] = self._supported(shape["additionalProperties"], _entry_of(ours), entries)
        elif choices := overlay.enum or _choices(ours):
            made["enum"] = list(choices)
        return made

    def _refer(self, wanted: str, inner: str, ours: Any) -> str:
        """The definition of a type, made where it is referred to for the first time."""
        name = wanted or inner.rpartition(".")[2]
        source = _Source(inner, _struct_in(ours))
        if (known := self._sources.get(name)) is None:
            self._definitions[name] = self._object(name, source)
        elif known != source:
            raise WrongOverlay(f"{name} is both {known} and {source}: give one of them a type of its own")
        return name


def _fields_of(struct: type[Struct] | None) -> dict[str, Any]:
    return {} if struct is None else {field.encode_name: field.type for field in msgspec.structs.fields(struct)}


def _struct_in(ours: Any) -> type[Struct] | None:
    """The struct that a field holds, or that is in its list."""
    if isinstance(ours, type) and issubclass(ours, Struct):
        return ours
    return next((found for part in get_args(ours) if (found := _struct_in(part)) is not None), None)


def _entry_of(ours: Any) -> Any:
    """The type of the entries of a tuple, or of the values of a dict."""
    parts = [part for part in get_args(ours) if part is not Ellipsis]
    return parts[-1] if parts else None


def _choices(ours: Any) -> tuple[Any, ...]:
    """What a field may hold that has a closed list of values."""
    return get_args(ours) if get_origin(ours) is Literal else ()


def _accepted(values: Sequence[Any]) -> Json:
    if not values:
        return {"not": {}}
    return {"const": values[0]} if len(values) == 1 else {"enum": list(values)}


def _emptiness(overlay: FieldOverlay) -> Json:
    return {EMPTY: "absent"} if overlay.empty else {}


def _outward(part: Any) -> Any:
    """The same, with references to the definitions that all kinds share."""
    if isinstance(part, dict):
        return {
            key: SHARED + value if key == "$ref" and value.startswith("#") else _outward(value)
            for key, value in part.items()
        }
    return [_outward(item) for item in part] if isinstance(part, list) else part
