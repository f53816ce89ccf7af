"""What each owner's pods are made from now; and what a pod that is there already takes over from it.

A pod's labels follow its template's without the pod being made anew. What a pod was made from is on its
containers, too: a master without a memory knows the pods of templates that no manifest has any more.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields, replace

from reconciler.model.api.core.pod import PodSpec, PodTemplateSpec, TemplateMeta
from reconciler.model.memory import PodIntent
from reconciler.model.names import Uid
from reconciler.model.quantities import Quantity
from reconciler.planning.state.pod_templates import PodTemplates


def brought_up_to_date(pods: Mapping[Uid, PodIntent], templates: PodTemplates) -> Mapping[Uid, PodIntent]:
    """The mapping given, itself, where every pod has its template's labels and, of the same hash, a known spec.

    One whose owner has come back waits for no successor any more."""
    fresh: dict[Uid, PodIntent] = {}
    for uid, intent in pods.items():
        template = templates.of(intent.workload, intent.name)
        if template is None:
            continue
        now = replace(intent, succeeded_by=()) if intent.succeeded_by else intent
        if template.hash == now.hash and (now.spec is None or now.labels != template.labels):
            now = replace(now, labels=template.labels, spec=template.spec)
        if now is not intent:
            fresh[uid] = now
    return {**pods, **fresh} if fresh else pods


def template_text(labels: Mapping[str, str], spec: PodSpec) -> str:
    """Write upstream's PodTemplateSpec for a label of the pod's containers, without what is as by default.

    Secrets are only named in it, as in the manifest.
    """
    template = PodTemplateSpec(spec, TemplateMeta(dict(labels)))
    return msgspec.json.encode(_written(template), order="deterministic").decode()


def read_template(text: str) -> tuple[Mapping[str, str], PodSpec] | None:
    """Inverse of `template_text`; None where it is not there, or another version of us wrote it."""
    try:
        template = _decoder.decode(text)
    except msgspec.MsgspecError:
        return None
    return template.metadata.labels, template.spec


def _read(kind: type, value: Any) -> Any:
    return Quantity.parse(value) if kind is Quantity else value


_decoder = msgspec.json.Decoder(PodTemplateSpec, dec_hook=_read)


def _written(value: Any) -> Any:
    match value:
        case Struct():
            return dict(_fields(value))
        case tuple():
            return [_written(one) for one in value]
        case dict():
            return {key: _written(one) for key, one in value.items()}
        case Quantity():
            return value.text
        case _:
            return value


def _fields(value: Struct) -> Iterator[tuple[str, Any]]:
    for field in _fields_of(type(value)):
        content = getattr(value, field.name)
        empty = field.default_factory() if callable(field.default_factory) else field.default
        if field.required or content != empty:
            yield field.encode_name, _written(content)


@cache
def _fields_of(kind: type[Struct]) -> tuple[FieldInfo, ...]:
    """The fields of a type; msgspec works them out anew at every question."""
    return fields(kind)
