"""How a ConfigMap is read from its manifest."""

import base64
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from reconciler.manifests.admission import Admission, ReadValue
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.manifests.reading.decoding import Undecodable, decoded_base64
from reconciler.model.api.core.config import ConfigMap
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.desired import Json
from reconciler.model.names import Ref


class _ConfigMapForm(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}


def _decode(document: Json, read_value: ReadValue) -> ConfigMap:
    form = msgspec.convert(document, _ConfigMapForm, dec_hook=read_value)
    binary: dict[str, bytes] = {}
    problems = []
    for key, written in form.binary_data.items():
        at: Pointer = ("binaryData", key)
        if key in form.data:
            message = "this key is in `data`, too"
            problems.append(Finding(at, Code.CONFLICTING_FIELDS, message, "keep one of them"))
        if (raw := decoded_base64(written)) is None:
            fix = "encode it, or move it to `data`, which takes it as it is"
            problems.append(Finding(at, Code.NOT_BASE64, "this value is not base64", fix))
        else:
            binary[key] = raw
    if problems:
        raise Undecodable(*problems)
    return ConfigMap(metadata=form.metadata, data=form.data, binary_data=binary)


def _contents(config_map: ConfigMap, _: Ref) -> Mapping[str, str]:
    """The values. A binary one, in base64, begins with a NUL, which no text does: the two never look the same."""
    encoded = {key: "\0" + base64.b64encode(value).decode() for key, value in config_map.binary_data.items()}
    return {**config_map.data, **encoded} if encoded else config_map.data


CONFIG_MAP_ADMISSION = Admission(decode=_decode, contents=_contents, counts_generations=False)
