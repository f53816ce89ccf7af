"""What is checked of a Cluster, for itself and among the other objects of its revision."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Final

from reconciler.manifests.across.index import Index
from reconciler.manifests.admission import Admission, Required
from reconciler.manifests.checks.cidrs import check_network
from reconciler.manifests.checks.pod_security_exceptions import check_policy
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.manifests.manifest import Manifest
from reconciler.manifests.reading.decoding import DEFAULT_NAMESPACE, decode_as
from reconciler.model.acme import Acme
from reconciler.model.api.cluster import Cluster
from reconciler.model.names import Ref

_SMALLEST_SERVICE_PREFIX: Final = 28
_SMALLEST_LOG: Final = 64 << 10


def _validate(cluster: Cluster) -> Iterator[Finding]:
    spec = cluster.spec
    yield from check_policy(spec.pod_security, ("spec", "podSecurity"))
    for index, rule in enumerate(spec.network.external_ips):
        yield from check_network(rule.cidr, ("spec", "network", "externalIPs", index, "cidr"))
    if spec.acme is not None:
        yield from _acme(spec.acme)
    if spec.image_gc.low_threshold_percent >= spec.image_gc.high_threshold_percent:
        message = "images would never be removed, or always"
        fix = f"write less than {spec.image_gc.high_threshold_percent}"
        yield Finding(("spec", "imageGC", "lowThresholdPercent"), Code.INVALID_VALUE, message, fix)
    if (size := spec.pod_limits.container_log_max_size).value < _SMALLEST_LOG:
        message = f"a log file of {size} bytes holds next to nothing"
        at: Pointer = ("spec", "podLimits", "containerLogMaxSize")
        yield Finding(at, Code.IMPOSSIBLE_RESOURCES, message, "write 64Ki or more, such as 10Mi")
    faults = [
        *check_network(spec.pod_cidr, ("spec", "podCIDR")),
        *check_network(spec.service_cidr, ("spec", "serviceCIDR")),
    ]
    yield from faults
    if faults:
        return
    pods, services = IPv4Network(spec.pod_cidr), IPv4Network(spec.service_cidr)
    if pods.overlaps(services):
        message = f"the service CIDR {services} overlaps the pod CIDR {pods}"
        yield Finding(
            ("spec", "serviceCIDR"), Code.OVERLAPPING_CIDRS, message, "choose networks that share no address"
        )
    if services.prefixlen > _SMALLEST_SERVICE_PREFIX:
        message = (
            f"the service CIDR {services} has no room for the cluster's name servers, its addresses 10 and 11"
        )
        fix = f"choose a network of /{_SMALLEST_SERVICE_PREFIX} or larger"
        yield Finding(("spec", "serviceCIDR"), Code.OUTSIDE_CIDR, message, fix)
    if spec.node_prefix < pods.prefixlen:
        message = f"a node's part (/{spec.node_prefix}) is larger than the whole pod CIDR {pods}"
        fix = f"write a number of {pods.prefixlen} or more, or widen podCIDR"
        yield Finding(("spec", "nodePrefix"), Code.OUTSIDE_CIDR, message, fix)


def _acme(acme: Acme) -> Iterator[Finding]:
    if acme.ca:
        from cryptography.x509 import load_pem_x509_certificates  # few clusters name a CA of their own

        try:
            load_pem_x509_certificates(acme.ca.encode())
        except ValueError:
            fix = "copy the whole of each, from `-----BEGIN CERTIFICATE-----` to its end"
            yield Finding(
                ("spec", "acme", "ca"),
                Code.INVALID_VALUE,
                "what stands between these lines is no certificate",
                fix,
            )


def _validate_among(manifest: Manifest[Cluster], index: Index) -> Iterator[Finding]:
    yield from _is_the_only_one(manifest, index)
    yield from _levels(manifest.object, index)


def _is_the_only_one(manifest: Manifest[Cluster], index: Index) -> Iterator[Finding]:
    clusters = index.of(Cluster).values()
    if index.objects[manifest.ref] is manifest and len(clusters) > 1:
        others = ", ".join(str(other.place) for other in clusters if other is not manifest)
        message, fix = f"there is another Cluster at {others}", "keep one: a revision is one cluster"
        yield Finding(("kind",), Code.SEVERAL_CLUSTERS, message, fix)


def _levels(cluster: Cluster, index: Index) -> Iterator[Finding]:
    """A level for a misspelt namespace would leave the right one at the default."""
    for name in cluster.spec.pod_security.namespaces:
        if name != DEFAULT_NAMESPACE and index.lacks(Ref("Namespace", "", name)):
            at = ("spec", "podSecurity", "namespaces", name)
            message = f"there is no namespace {name}: its level changes nothing"
            yield warning(at, Code.IGNORED_FIELD, message, "correct the name, or leave it", at_key=True)


CLUSTER_ADMISSION = Admission(
    decode=decode_as(Cluster),
    validate=_validate,
    validate_among=_validate_among,
    required=Required(
        Code.NO_CLUSTER, "there is no Cluster", "add a manifest of kind Cluster (apiVersion reconciler.dev/v1)"
    ),
)
