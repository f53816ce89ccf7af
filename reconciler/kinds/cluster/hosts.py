"""The Cluster and its Nodes, from the manifests that the store has kept: for commands that talk to hosts."""

from collections.abc import Mapping

import msgspec

from reconciler.kinds.core.node_admission import with_ssh_defaults
from reconciler.manifests.admission import AdmittedKinds
from reconciler.manifests.reading.decoding import Decoder, Undecodable
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.desired import Json
from reconciler.model.names import Ref


def read_hosts(manifests: Mapping[Ref, Json], kinds: AdmittedKinds) -> tuple[Cluster, Mapping[str, Node]] | None:
    """The Cluster and its Nodes by name, of manifests in their canonical form.

    None where one of them is missing, or another version has written them in a form that this one cannot read."""
    decoder = Decoder(kinds, {})
    kept = [(ref.kind, manifest) for ref, manifest in manifests.items() if ref.kind in ("Cluster", "Node")]
    try:
        objects = [decoder.decode_canonical(kind, manifest) for kind, manifest in kept]
    except (Undecodable, msgspec.ValidationError, KeyError):
        return None
    cluster = next((one for one in objects if isinstance(one, Cluster)), None)
    nodes = [one for one in objects if isinstance(one, Node)]
    if cluster is None or not nodes:
        return None
    return cluster, {node.metadata.name: with_ssh_defaults(node, cluster.spec.ssh) for node in nodes}
