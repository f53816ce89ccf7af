"""What is checked of a StatefulSet, what its pods are made from, and the claims that come with it."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from reconciler.kinds.apps.amounts import is_zero
from reconciler.kinds.apps.stateful_set_pods import claims_of, ordinals, own_labels, pod_name, with_claims
from reconciler.kinds.apps.template_checks import check_template
from reconciler.manifests.across.index import Index
from reconciler.manifests.across.selectors import check_overlapping_selectors
from reconciler.manifests.admission import Admission
from reconciler.manifests.checks.pod_parts import check_distinct
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.manifests.manifest import Manifest
from reconciler.manifests.reading.decoding import decode_as
from reconciler.manifests.relations import PodTemplate, Reference, Relations, label_pairs
from reconciler.model.api.apps import StatefulSet, VolumeClaimTemplate
from reconciler.model.api.core.service import Service
from reconciler.model.names import ANNOTATION_CONDITIONS, ANNOTATION_RECLAIM, ANNOTATION_RESTART_ON_CHANGE, Ref
from reconciler.model.services import is_headless

_LONGEST_NAME: Final = 63
_SERVICE_AT: Pointer = ("spec", "serviceName")


def _validate(wanted: StatefulSet) -> Iterator[Finding]:
    spec = wanted.spec
    made = with_claims(wanted, spec.template.spec, spec.ordinals.start)
    yield from check_template(wanted, spec.selector, spec.template, made)
    longest = pod_name(wanted, max(ordinals(wanted), default=spec.ordinals.start))
    if len(longest) > _LONGEST_NAME:
        message = f"its pod {longest} would have a name of {len(longest)} letters, and a host name has at most 63"
        yield Finding(("metadata", "name"), Code.INVALID_VALUE, message, "choose a shorter name")
    yield from _update(wanted)
    yield from _claims(wanted)


def _update(wanted: StatefulSet) -> Iterator[Finding]:
    strategy, at = wanted.spec.update_strategy, ("spec", "updateStrategy", "rollingUpdate")
    if (rolling := strategy.rolling_update) is None:
        return
    if strategy.type == "OnDelete":
        message = "OnDelete replaces no pod by itself: there are no limits to keep to"
        fix = "remove it, or write type: RollingUpdate"
        yield Finding(at, Code.CONFLICTING_FIELDS, message, fix, at_key=True)
    elif is_zero(rolling.max_unavailable):
        message = "maxUnavailable is 0: no pod could ever be replaced"
        yield Finding((*at, "maxUnavailable"), Code.IMPOSSIBLE_ROLLOUT, message, "write at least 1")


def _claims(wanted: StatefulSet) -> Iterator[Finding]:
    templates: Pointer = ("spec", "volumeClaimTemplates")
    named = [(one.metadata.name, (*templates, at, "metadata")) for at, one in enumerate(_templates(wanted))]
    yield from check_distinct(named, "claim", "name")
    pod = wanted.spec.template.spec
    mounted = {mount.name for one in chain(pod.init_containers, pod.containers) for mount in one.volume_mounts}
    for at, template in enumerate(_templates(wanted)):
        here = (*templates, at, "metadata")
        if template.metadata.name not in mounted:
            message = f"no container mounts {template.metadata.name}"
            fix = "mount it by its name in the template's volumeMounts, or remove it"
            yield Finding((*here, "name"), Code.UNKNOWN_VOLUME, message, fix)
        if ANNOTATION_RECLAIM in template.metadata.annotations:
            message = "what becomes of the data of these claims is in spec.persistentVolumeClaimRetentionPolicy"
            yield Finding((*here, "annotations", ANNOTATION_RECLAIM), Code.NOT_OURS, message, "remove it")


def _templates(wanted: StatefulSet) -> Sequence[VolumeClaimTemplate]:
    return wanted.spec.volume_claim_templates


def _validate_among(manifest: Manifest[StatefulSet], index: Index) -> Iterator[Finding]:
    yield from check_overlapping_selectors(manifest, index)
    name = manifest.object.spec.service_name
    ref = Ref("Service", manifest.ref.namespace, name)
    if not name:
        return
    if index.lacks(ref):
        message = f"there is no {ref}: its pods have no names of their own until there is"
        fix = f"add a headless Service named {name}, or correct the name"
        yield warning(_SERVICE_AT, Code.SELECTS_NOTHING, message, fix)
    elif (found := index.of(Service).get(ref)) is not None and not is_headless(found.object):
        message = (
            f"{ref} ({found.place}) has an address of its own, and pods have names behind headless ones alone"
        )
        yield warning(_SERVICE_AT, Code.SELECTS_NOTHING, message, "write clusterIP: None in the Service")


def _pod_template(wanted: StatefulSet) -> PodTemplate:
    """A pod is made anew when its domain, or the names of its claims, are others."""
    template, claims = wanted.spec.template, wanted.spec.volume_claim_templates
    return PodTemplate(
        template.spec,
        template.metadata.labels,
        template.metadata.annotations,
        ("spec", "template"),
        beside=(wanted.spec.service_name, *(one.metadata.name for one in claims)),
    )


def _refers(wanted: StatefulSet) -> Relations:
    namespace, name = wanted.metadata.namespace, wanted.spec.service_name
    own = {pair for ordinal in ordinals(wanted) for pair in label_pairs(namespace, own_labels(wanted, ordinal))}
    return Relations(
        references=(Reference(Ref("Service", namespace, name), _SERVICE_AT, optional=True),) if name else (),
        labels=tuple(sorted(own)),
        selector=label_pairs(namespace, wanted.spec.selector.match_labels),
    )


STATEFUL_SET_ADMISSION = Admission(
    decode=decode_as(StatefulSet),
    validate=_validate,
    refers=_refers,
    dependents=claims_of,
    pod_template=_pod_template,
    validate_among=_validate_among,
    annotations={ANNOTATION_CONDITIONS: ()},
    template_annotations={ANNOTATION_RESTART_ON_CHANGE: ("true", "false")},
)
