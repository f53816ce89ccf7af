"""An Ingress: which Service answers HTTP requests for a host and a path."""

import msgspec
from msgspec import Struct

from reconciler.kinds.kind import Kind
from reconciler.kinds.networking.ingress_controller import INGRESS_CONTROLLER
from reconciler.kinds.networking.ingress_view import INGRESS_VIEW
from reconciler.manifests.across.ingress_backends import check_backends
from reconciler.manifests.across.ingress_reach import INGRESS_REACH
from reconciler.manifests.admission import Admission, ReadValue
from reconciler.manifests.annotations.ingress import SETTINGS, read_options
from reconciler.manifests.checks.ingresses import check_ingress_spec, relations_of_ingress, without_foreign_spec
from reconciler.manifests.reading.decoding import Undecodable
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.api.networking import Ingress, IngressSpec
from reconciler.model.desired import Json
from reconciler.model.ingress import is_served_here
from reconciler.model.kinds import Names
from reconciler.model.problems import Severity


class _IngressForm(Struct, frozen=True):
    metadata: ObjectMeta
    spec: IngressSpec


def _decode(document: Json, read_value: ReadValue) -> Ingress:
    form = msgspec.convert(document, _IngressForm, dec_hook=read_value)
    if not is_served_here(ingress := Ingress(form.metadata, form.spec)):
        return ingress
    options, findings = read_options(form.metadata.annotations)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise Undecodable(*findings)
    return Ingress(form.metadata, form.spec, options)


def _encode(fields: Json) -> Json:
    """The options are written as annotations."""
    return {name: value for name, value in fields.items() if name != "options"}


INGRESS = Kind(
    names=Names(
        kind="Ingress", plural="ingresses", group="networking.k8s.io", short=("ing",), subresources=("status",)
    ),
    type=Ingress,
    admission=Admission(
        decode=_decode,
        prepare=without_foreign_spec,
        encode=_encode,
        validate=check_ingress_spec,
        is_served=is_served_here,
        refers=relations_of_ingress,
        validate_among=check_backends,
        revision_checks=(INGRESS_REACH,),
        annotations=dict.fromkeys(SETTINGS, ()),
    ),
    controller=INGRESS_CONTROLLER,
    view=INGRESS_VIEW,
)
