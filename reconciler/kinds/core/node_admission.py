"""How a Node is read from its manifest: a host's address and key are in annotations."""

import base64
import binascii
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from reconciler.manifests.across.index import Index
from reconciler.manifests.across.unique_addresses import NODE_ADDRESSES, cluster_spec
from reconciler.manifests.admission import Admission, ReadValue, Required
from reconciler.manifests.checks.cidrs import check_network
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.manifests.reading.decoding import Undecodable
from reconciler.model.api.cluster import SshDefaults
from reconciler.model.api.core.node import Node, NodeSpec, SshAddress
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.desired import Json
from reconciler.model.names import ANNOTATION_HOST_KEY, ANNOTATION_SSH


class _NodeForm(Struct, frozen=True):
    metadata: ObjectMeta
    spec: NodeSpec = NodeSpec()


def _decode(document: Json, read_value: ReadValue) -> Node:
    """Where the address names no user or port, they are "" and 0 until the Cluster's defaults are known."""
    form = msgspec.convert(document, _NodeForm, dec_hook=read_value)
    notes = form.metadata.annotations
    host_key = notes.get(ANNOTATION_HOST_KEY, "")
    problems = []
    address = _address(notes[ANNOTATION_SSH])
    if address is None:
        at: Pointer = ("metadata", "annotations", ANNOTATION_SSH)
        problems.append(Finding(at, Code.INVALID_ADDRESS, "the port is not a port", "write one from 1 to 65535"))
    if host_key and not _is_key(host_key):
        message = "the key's text is cut short or damaged"
        fix = "copy one line of `ssh-keyscan HOST` without the host's name"
        at = ("metadata", "annotations", ANNOTATION_HOST_KEY)
        problems.append(Finding(at, Code.INVALID_HOST_KEY, message, fix))
    if problems or address is None:
        raise Undecodable(*problems)
    return Node(metadata=form.metadata, ssh=address, host_key=" ".join(host_key.split()[:2]), spec=form.spec)


def _address(text: str) -> SshAddress | None:
    user, _, place = text.removeprefix("ssh://").rpartition("@")
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    if not colon:
        return SshAddress(user, place.strip("[]"), 0)
    return SshAddress(user, host.strip("[]"), int(port)) if 0 < int(port) < 65536 else None


def _is_key(text: str) -> bool:
    """The algorithm is written twice, in the open and as the first field of the blob; both must agree."""
    algorithm, blob = text.split()[:2]
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error:
        return False
    start = len(algorithm).to_bytes(4, "big") + algorithm.encode()
    return raw.startswith(start) and len(raw) > len(start) + 4


def _encode(fields: Json) -> Json:
    """What is decoded from annotations is written there."""
    return {name: value for name, value in fields.items() if name not in ("ssh", "hostKey")}


def _default(node: Node, index: Index) -> Node:
    """The Node with the Cluster's defaults where its address leaves something out."""
    cluster = cluster_spec(index)
    return node if cluster is None else with_ssh_defaults(node, cluster.ssh)


def with_ssh_defaults(node: Node, ssh: SshDefaults) -> Node:
    """The Node with these defaults where its address leaves something out."""
    if node.ssh.user and node.ssh.port:
        return node
    address = SshAddress(node.ssh.user or ssh.user, node.ssh.host, node.ssh.port or ssh.port)
    return msgspec.structs.replace(node, ssh=address)


def _validate(node: Node) -> Iterator[Finding]:
    if node.spec.pod_cidr:
        yield from check_network(node.spec.pod_cidr, ("spec", "podCIDR"))


NODE_ADMISSION = Admission(
    decode=_decode,
    encode=_encode,
    default=_default,
    validate=_validate,
    revision_checks=(NODE_ADDRESSES,),
    annotations={ANNOTATION_SSH: (), ANNOTATION_HOST_KEY: ()},
    required=Required(
        Code.NO_NODE, "there is no Node: nothing could run anywhere", "add a manifest of kind Node for each host"
    ),
)
