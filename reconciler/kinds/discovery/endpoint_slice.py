"""An EndpointSlice: who answers for a Service that selects no pods."""

from collections.abc import Iterator

from msgspec.structs import replace

from reconciler.kinds.kind import Kind
from reconciler.manifests.across.index import Index
from reconciler.manifests.across.selectors import check_slice_owner
from reconciler.manifests.across.unique_addresses import cluster_spec
from reconciler.manifests.across.unique_ports import check_slice_addresses
from reconciler.manifests.admission import Admission
from reconciler.manifests.checks.services import check_endpoint_slice
from reconciler.manifests.findings import Finding
from reconciler.manifests.manifest import Manifest
from reconciler.manifests.reading.decoding import decode_as
from reconciler.manifests.relations import Reference, Relations, label_pairs
from reconciler.model.api.discovery import LABEL_MANAGED_BY, LABEL_SERVICE_NAME, EndpointSlice, service_of
from reconciler.model.api.meta import ObjectMeta, OwnerReference
from reconciler.model.kinds import Names
from reconciler.model.names import GROUP
from reconciler.reporting.view import Column, View, age_column, name_column


def _refers(endpoint_slice: EndpointSlice) -> Relations:
    """It belongs to the Service that its label names."""
    service = service_of(endpoint_slice)
    reference = Reference(service, ("metadata", "labels", LABEL_SERVICE_NAME))
    labels = label_pairs(service.namespace, {LABEL_SERVICE_NAME: service.name})
    return Relations(references=(reference,), labels=labels)


def _validate_among(manifest: Manifest[EndpointSlice], index: Index) -> Iterator[Finding]:
    yield from check_slice_owner(manifest, index)
    yield from check_slice_addresses(manifest.object, cluster_spec(index))


def _published_metadata(endpoint_slice: EndpointSlice) -> ObjectMeta:
    """With its Service as its owner, as upstream; and who manages it, where its author does not say."""
    metadata, service = endpoint_slice.metadata, service_of(endpoint_slice)
    owner = OwnerReference("v1", service.kind, service.name, controller=True, block_owner_deletion=True)
    return replace(metadata, labels={LABEL_MANAGED_BY: GROUP, **metadata.labels}, owner_references=(owner,))


_UNSET = "<unset>"

ENDPOINT_SLICE = Kind(
    names=Names(kind="EndpointSlice", plural="endpointslices", group="discovery.k8s.io"),
    type=EndpointSlice,
    admission=Admission(
        decode=decode_as(EndpointSlice),
        validate=check_endpoint_slice,
        refers=_refers,
        validate_among=_validate_among,
        published_metadata=_published_metadata,
    ),
    view=View(
        columns=(
            name_column(),
            Column("ADDRESSTYPE", lambda one, _: one.address_type),
            Column("PORTS", lambda one, _: ",".join(str(port.port) for port in one.ports) or _UNSET),
            Column("ENDPOINTS", lambda one, _: ",".join(each.addresses[0] for each in one.endpoints) or _UNSET),
            age_column(),
        )
    ),
)
