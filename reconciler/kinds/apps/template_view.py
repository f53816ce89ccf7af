"""How the template of a workload's pods is shown."""

from reconciler.model.api.core.pod import PodTemplateSpec
from reconciler.reporting.describing.page import Entry, entry, heading, pairs


def template_entries(template: PodTemplateSpec) -> list[Entry]:
    """The labels and the images that pods of a template have."""
    shown = [pairs("Labels", template.metadata.labels)]
    for label, containers in (
        ("Init Containers", template.spec.init_containers),
        ("Containers", template.spec.containers),
    ):
        if containers:
            shown.append(heading(label, [entry(one.name, one.image) for one in containers]))
    return shown
