"""What `schemas/overlays/` says of fields: what they do here, what they may hold, and why some are not taken."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from msgspec import UNSET, Struct, UnsetType, structs

FOLDER: Final = Path(__file__).parents[2] / "schemas" / "overlays"


class Limits(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a value may be, in the words of JSON Schema."""

    const: Any = UNSET
    minimum: int | float | UnsetType = UNSET
    maximum: int | float | UnsetType = UNSET
    min_items: int | UnsetType = UNSET
    max_items: int | UnsetType = UNSET
    min_properties: int | UnsetType = UNSET
    max_properties: int | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    pattern: str | UnsetType = UNSET
    pattern_error_message: str | UnsetType = UNSET

    def words(self) -> dict[str, Any]:
        """Those that are said, as a schema has them."""
        known = ((field.encode_name, getattr(self, field.name)) for field in structs.fields(Limits))
        return {word: value for word, value in known if value is not UNSET}


class FieldOverlay(Limits, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is said of one field, beside its shape; a text alone is `says`."""

    says: str = ""
    """What the field does here."""
    warn: str = ""
    """Why it is accepted and changes nothing."""
    refuse: str = ""
    """Why it is not accepted."""
    but: tuple[Any, ...] = ()
    """Values of a refused field that are accepted all the same: they are what happens anyway."""
    accept: bool = False
    """The field is accepted though our type has none: it says what happens anyway, or goes into another field."""
    former: bool = False
    """Upstream had the field once; files that an old API server wrote still do."""
    format: str = ""
    """The name of a format that its value has."""
    type: str = ""
    """A type of these overlays, in place of upstream's own."""
    items: "FieldOverlay | UnsetType" = UNSET
    """The entries of a list, or the values of a map."""
    keys: str = ""
    """The format of a map's keys."""
    enum: tuple[Any, ...] = ()
    """The values that are accepted, where they are not those of our type."""
    empty: bool = False
    """An empty value is an absent one."""
    refused_values: Mapping[str, str] = {}
    """Why some values are not accepted that upstream has."""


_NOTHING: Final = FieldOverlay()


class TypeOverlay(Limits, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is said of a type of upstream's, or of ours."""

    says: str = ""
    required: tuple[str, ...] | UnsetType = UNSET
    """Fields that must be there; where it is not said, those that upstream requires."""
    like: str = ""
    """The type of these overlays that this one is but for the fields it names."""
    fields: Mapping[str, FieldOverlay] = {}

    def of(self, field: str) -> FieldOverlay:
        """What is said of a field; nothing, where it is not named."""
        return self.fields.get(field, _NOTHING)


class Overlays(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is said, of all kinds."""

    formats: Mapping[str, Mapping[str, Any]] = {}
    """Definitions, in JSON Schema's own words, of values that upstream has no type for."""
    types: Mapping[str, TypeOverlay] = {}


class WrongOverlay(Exception):
    """An overlay that cannot be read, or says something of what does not exist."""


def read_overlays(folder: Path = FOLDER) -> Overlays:
    """Every file of the folder, put together. Raises WrongOverlay."""
    formats: dict[str, Mapping[str, Any]] = {}
    types: dict[str, TypeOverlay] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            part = msgspec.convert(_with_texts(yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)), Overlays)
        except msgspec.ValidationError as error:
            raise WrongOverlay(f"{path.name}: {error}") from error
        if twice := (formats.keys() & part.formats.keys()) | (types.keys() & part.types.keys()):
            raise WrongOverlay(f"{path.name}: {', '.join(sorted(twice))} is in another file, too")
        formats |= part.formats
        types |= part.types
    return Overlays(formats, {name: _whole(name, types) for name in types})


def _with_texts(part: Any) -> Any:
    """The same, in which a field of which only a text is said, or nothing, has the long form."""
    for kind in (part.get("types") or {}).values():
        said = kind.get("fields") or {}
        kind["fields"] = {
            name: {"says": field} if isinstance(field, str) else field or {} for name, field in said.items()
        }
    return part


def _whole(name: str, types: Mapping[str, TypeOverlay]) -> TypeOverlay:
    """The type with the fields of that which it is like, in their order."""
    own = types[name]
    if not own.like:
        return own
    if own.like not in types:
        raise WrongOverlay(f"{name} is like {own.like}, which is not there")
    model = _whole(own.like, types)
    return structs.replace(
        own,
        says=own.says or model.says,
        required=model.required if own.required is UNSET else own.required,
        fields={**model.fields, **own.fields},
    )
