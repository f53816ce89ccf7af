"""How PersistentVolumeClaims are shown."""

from typing import Final

from reconciler.model.api.core.persistent_volume_claim import ANNOTATION_SELECTED_NODE, PersistentVolumeClaim
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.meta import message_of
from reconciler.reporting.describing.page import Entry, entry, events_entry, known, named, page
from reconciler.reporting.lines import Line
from reconciler.reporting.view import NONE, Column, Context, View, name_column


def _message(claim: PersistentVolumeClaim) -> str:
    return message_of(claim.status.conditions, "Bound")


def _node(claim: PersistentVolumeClaim) -> str:
    return claim.metadata.annotations.get(ANNOTATION_SELECTED_NODE, NONE)


def _mounts(pod: Pod, claim: PersistentVolumeClaim) -> bool:
    claims = {
        one.persistent_volume_claim.claim_name
        for one in pod.spec.volumes
        if one.persistent_volume_claim is not None
    }
    return pod.metadata.namespace == claim.metadata.namespace and claim.metadata.name in claims


def _describe(claim: PersistentVolumeClaim, context: Context) -> list[Line]:
    metadata, spec = claim.metadata, claim.spec
    users = sorted(pod.metadata.name for pod in context.of(Pod) if _mounts(pod, claim))
    size = spec.resources.requests.get("storage")
    return page(
        [
            *named(metadata),
            entry("Status", claim.status.phase),
            *known("Message", _message(claim)),
            entry("Volume", spec.volume_name or NONE),
            entry("Node", _node(claim)),
            entry("Capacity", size.text if size is not None else NONE),
            entry("Access Modes", ",".join(spec.access_modes) or NONE),
            Entry("Used By", tuple(users) or (NONE,)),
            events_entry(context.events, context.now),
        ]
    )


PERSISTENT_VOLUME_CLAIM_VIEW: Final = View[PersistentVolumeClaim](
    columns=(
        name_column(),
        Column("STATUS", lambda claim, _: claim.status.phase),
        Column("VOLUME", lambda claim, _: claim.spec.volume_name or NONE),
        Column("NODE", lambda claim, _: _node(claim)),
        Column("MESSAGE", lambda claim, _: _message(claim) or NONE, priority=1),
    ),
    describe=_describe,
)
