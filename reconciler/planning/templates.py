"""What each owner's pods are made from now; and what a pod that is there already takes over from it.

Labels are ours alone, on no container: a pod follows its template's without being made anew.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref, Uid
from reconciler.model.pods import PodSpec


class Template(NamedTuple):
    hash: str
    labels: dict[str, str]
    spec: PodSpec


def templates_of(desired: Desired) -> dict[Ref, Template]:
    """By Deployment, and by bare Pod."""
    hashes = desired.template_hashes
    templates = {ref: Template(hashes[ref], pod.metadata.labels, pod.spec) for ref, pod in desired.pods.items()}
    for ref, deployment in desired.deployments.items():
        template = deployment.spec.template
        templates[ref] = Template(hashes[ref], template.metadata.labels, template.spec)
    return templates


def brought_up_to_date(
    pods: Mapping[Uid, PodIntent], templates: Mapping[Ref, Template]
) -> Mapping[Uid, PodIntent]:
    """The mapping given, itself, where every pod has its template's labels and, of the same hash, a known spec."""
    fresh: dict[Uid, PodIntent] = {}
    for uid, intent in pods.items():
        template = templates.get(intent.owner or intent.ref)
        if template is None or template.hash != intent.hash:
            continue
        if intent.spec is None or intent.labels != template.labels:
            fresh[uid] = replace(intent, labels=template.labels, spec=template.spec)
    return {**pods, **fresh} if fresh else pods
