"""A Service: one stable name and address for pods that come and go."""

import msgspec
from msgspec import Struct

from reconciler.kinds.core.service_controller import SERVICE_CONTROLLER
from reconciler.kinds.core.service_view import SERVICE_VIEW
from reconciler.kinds.kind import Kind
from reconciler.manifests.across.selectors import check_service_selector
from reconciler.manifests.across.unique_addresses import SERVICE_ADDRESSES
from reconciler.manifests.admission import Admission, ReadValue
from reconciler.manifests.annotations.service import SERVICE_SETTINGS, read_service_options
from reconciler.manifests.checks.services import check_service
from reconciler.manifests.reading.decoding import Undecodable
from reconciler.manifests.relations import Relations, label_pairs
from reconciler.model.api.core.service import Service, ServiceSpec
from reconciler.model.api.discovery import LABEL_SERVICE_NAME
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.desired import Json
from reconciler.model.kinds import Names


class _ServiceForm(Struct, frozen=True):
    metadata: ObjectMeta
    spec: ServiceSpec


def _decode(document: Json, read_value: ReadValue) -> Service:
    form = msgspec.convert(document, _ServiceForm, dec_hook=read_value)
    options, findings = read_service_options(form.metadata.annotations)
    if findings:
        raise Undecodable(*findings)
    return Service(form.metadata, form.spec, options)


def _encode(fields: Json) -> Json:
    """The options are written as annotations."""
    return {name: value for name, value in fields.items() if name != "options"}


def _refers(service: Service) -> Relations:
    """A Service selects pods, or looks for the EndpointSlices that name it; an ExternalName looks for nothing."""
    namespace = service.metadata.namespace
    if service.spec.selector:
        return Relations(selector=label_pairs(namespace, service.spec.selector))
    if service.spec.type == "ExternalName":
        return Relations()
    return Relations(selector=label_pairs(namespace, {LABEL_SERVICE_NAME: service.metadata.name}))


SERVICE = Kind(
    names=Names(kind="Service", plural="services", short=("svc",), subresources=("status",)),
    type=Service,
    admission=Admission(
        decode=_decode,
        encode=_encode,
        validate=check_service,
        refers=_refers,
        validate_among=check_service_selector,
        revision_checks=(SERVICE_ADDRESSES,),
        annotations=dict.fromkeys(SERVICE_SETTINGS, ()),
    ),
    controller=SERVICE_CONTROLLER,
    view=SERVICE_VIEW,
)
