"""A Namespace: a scope for the names of other objects."""

from collections.abc import Iterator

from reconciler.kinds.kind import Kind
from reconciler.manifests.admission import Admission
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, warning
from reconciler.manifests.reading.decoding import decode_as
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.kinds import Names
from reconciler.reporting.view import View, age_column, name_column


def _validate(namespace: Namespace) -> Iterator[Finding]:
    for label in namespace.metadata.labels:
        if label.startswith("pod-security.kubernetes.io/"):
            message = f"{label} changes nothing here: what pods may do is written in the Cluster"
            fix = f"name the level in its spec.podSecurity.namespaces, under {namespace.metadata.name}"
            yield warning(("metadata", "labels", label), Code.IGNORED_FIELD, message, fix, at_key=True)


NAMESPACE = Kind(
    names=Names(kind="Namespace", plural="namespaces", short=("ns",), namespaced=False),
    type=Namespace,
    admission=Admission(decode=decode_as(Namespace), validate=_validate, counts_generations=False),
    view=View(columns=(name_column(), age_column())),
)
