"""How things are named: references to objects, labels on containers, names on hosts.

The labels are part of the host contract (docs/reference/host-contract.md): they are how a restarted, or
a new, master recognises what it owns.
"""

from typing import NamedTuple

GROUP = "reconciler.dev"

ANNOTATION_SSH = f"{GROUP}/ssh"
ANNOTATION_HOST_KEY = f"{GROUP}/host-key"

LABEL_CLUSTER = f"{GROUP}/cluster"
LABEL_NAMESPACE = f"{GROUP}/namespace"
LABEL_POD = f"{GROUP}/pod"
LABEL_UID = f"{GROUP}/uid"
LABEL_CONTAINER = f"{GROUP}/container"
LABEL_OWNER = f"{GROUP}/owner"
LABEL_HASH = f"{GROUP}/hash"
LABEL_REVISION = f"{GROUP}/revision"
LABEL_TEMPLATE = f"{GROUP}/template"
"""What the pod was made from, as JSON: a master that has lost its state reads it back."""
LABEL_IP = f"{GROUP}/ip"
"""The label, for a pod on its host's network, with the host's address, which Docker does not tell."""
LABEL_MOUNTS = f"{GROUP}/mounts"
"""The label of a container that mounts a subPath or a hostPath: how that was done. Absent: by a version that did
not pin."""
LABEL_CLAIM = f"{GROUP}/claim"
"""The label of a Docker volume with the claim's name, beside LABEL_CLUSTER and LABEL_NAMESPACE."""

ANNOTATION_CONDITIONS = f"{GROUP}/conditions"
ANNOTATION_RESTART_ON_CHANGE = f"{GROUP}/restart-on-change"
ANNOTATION_RECLAIM = f"{GROUP}/reclaim-policy"
ANNOTATION_CLASS = "kubernetes.io/ingress.class"
"""What `spec.ingressClassName` was once."""

SANDBOX = "POD"
"""Value of LABEL_CONTAINER on a pod's sandbox; no container of a manifest can have it (names are lower case)."""

SYSTEM_PROXY = "PROXY"
"""Value of LABEL_CONTAINER on the node's proxy, which belongs to no pod."""

SYSTEM_PROBER = "PROBER"
"""Value of LABEL_CONTAINER on the node's prober, which belongs to no pod."""

SYSTEM_DNS = "DNS"
"""Value of LABEL_CONTAINER on the node's name servers, which belong to no pod."""

SYSTEM_BOOT = "BOOT"
"""Value of LABEL_CONTAINER on what brings a node up after a boot without a master; it belongs to no pod."""


def system_name(cluster: str, part: str) -> str:
    """Return the name of a container that belongs to no pod, such as `shop_dns`; `part` is SYSTEM_DNS, or another
    of them.
    """
    return f"{cluster}_{part.lower()}"


POD_NETWORK = "reconciler"
"""The Docker network of every pod on a host."""


def disk_directory(cluster: str) -> str:
    """Return the directory on a host of what is kept while it is off. Pods' emptyDir volumes are at
    `pods/<uid>/<volume>` below it.
    """
    return f"/var/lib/reconciler/{cluster}"


def boot_directory(cluster: str) -> str:
    """Return the directory on a host, below `disk_directory`, of what it needs to come up alone."""
    return f"{disk_directory(cluster)}/boot"


def memory_directory(cluster: str) -> str:
    """Return the directory on a host of what must never reach a disk. Pods' ConfigMaps and Secrets are at
    `pods/<uid>/<volume>` in it.
    """
    return f"/run/reconciler/{cluster}"


def lease_directory(cluster: str) -> str:
    """Return the directory on a host, in memory, of its lease.

    It is apart from what is mounted and unmounted for pods: that would hide it.
    """
    return f"/run/reconciler-leases/{cluster}"


Uid = str
"""A pod's identity: fresh for every incarnation, so a recreated pod of the same name is another pod."""


class Ref(NamedTuple):
    """Names one object of a revision; `namespace` is empty for cluster-scoped kinds. Sorts by kind first."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def as_label(self) -> str:
        """`Deployment/web`: the namespace has a label of its own. Inverse of `owner_from_label`."""
        return f"{self.kind}/{self.name}"


def owner_from_label(label: str, namespace: str) -> Ref | None:
    """Read LABEL_OWNER back; None where a pod has no owner, or the label is not one of ours."""
    kind, slash, name = label.partition("/")
    return Ref(kind, namespace, name) if slash and kind and name else None


DNS_AUTHORITY = ("127.83.82.86", 5300)
"""Where, on a node, dnsmasq has the answers that it cannot give itself (`reconciler/authority/`)."""
