"""What JSON Schema cannot say about one object, without looking at any other."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from cryptography.x509 import load_pem_x509_certificates

from reconciler.manifests.annotations.placement import check_annotations
from reconciler.manifests.checks.cidrs import check_network
from reconciler.manifests.checks.ingresses import check_ingress_spec
from reconciler.manifests.checks.network_policies import check_network_policy
from reconciler.manifests.checks.pod_security_exceptions import check_policy
from reconciler.manifests.checks.pod_specs import check_pod_spec
from reconciler.manifests.checks.services import check_endpoint_slice, check_service
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.model.acme import Acme
from reconciler.model.api.apps import Deployment, IntOrPercent
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.core.node import Node
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import Service
from reconciler.model.api.discovery import EndpointSlice
from reconciler.model.api.meta import Object
from reconciler.model.api.networking import Ingress, NetworkPolicy
from reconciler.model.ingress import is_served_here

_SMALLEST_SERVICE_PREFIX = 28
_SMALLEST_LOG = 64 << 10


def check_object(thing: Object) -> Iterator[Finding]:
    """Every fault of an object that was decoded, and every warning about it."""
    if not isinstance(thing, Ingress) or is_served_here(thing):
        yield from check_annotations(thing)
    match thing:
        case Pod():
            yield from check_pod_spec(thing.spec, ("spec",))
        case Deployment():
            yield from _deployment(thing)
        case Service():
            yield from check_service(thing)
        case EndpointSlice():
            yield from check_endpoint_slice(thing)
        case Ingress():
            yield from check_ingress_spec(thing)
        case Node():
            if thing.spec.pod_cidr:
                yield from check_network(thing.spec.pod_cidr, ("spec", "podCIDR"))
        case Cluster():
            yield from _cluster(thing)
        case Namespace():
            yield from _namespace(thing)
        case PersistentVolumeClaim():
            yield from _claim(thing)
        case NetworkPolicy():
            yield from check_network_policy(thing)


def _deployment(deployment: Deployment) -> Iterator[Finding]:
    spec = deployment.spec
    labels = spec.template.metadata.labels
    missing = {key: value for key, value in spec.selector.match_labels.items() if labels.get(key) != value}
    if missing:
        wanted = ", ".join(f"{key}={value}" for key, value in missing.items())
        message = f"the selector wants {wanted}, which the template's labels do not have"
        fix = "give spec.template.metadata.labels the same labels"
        yield Finding(("spec", "selector", "matchLabels"), Code.SELECTOR_MISMATCH, message, fix)
    if spec.template.spec.restart_policy != "Always":
        at: Pointer = ("spec", "template", "spec", "restartPolicy")
        message = "the pods of a Deployment are always restarted"
        yield Finding(at, Code.RESTART_POLICY, message, "write Always, or use a bare Pod")
    if spec.template.spec.active_deadline_seconds is not None:
        at = ("spec", "template", "spec", "activeDeadlineSeconds")
        message = "the pods of a Deployment have no end"
        yield Finding(at, Code.CONFLICTING_FIELDS, message, "remove it, or use a bare Pod")
    yield from _rollout(deployment)
    yield from check_pod_spec(spec.template.spec, ("spec", "template", "spec"))


def _rollout(deployment: Deployment) -> Iterator[Finding]:
    spec = deployment.spec
    if (rolling := spec.strategy.rolling_update) is None:
        return
    at: Pointer = ("spec", "strategy", "rollingUpdate")
    if spec.strategy.type == "Recreate":
        message = "Recreate ends all pods before it starts new ones: there are no limits to keep to"
        fix = "remove it, or write type: RollingUpdate"
        yield Finding(at, Code.CONFLICTING_FIELDS, message, fix, at_key=True)
    elif _is_zero(rolling.max_surge) and _is_zero(rolling.max_unavailable):
        message = "maxSurge and maxUnavailable are both 0: no pod could ever be replaced"
        yield Finding(at, Code.IMPOSSIBLE_ROLLOUT, message, "give one of them at least 1")


def _is_zero(amount: IntOrPercent) -> bool:
    return amount in (0, "0%")


def _acme(acme: Acme) -> Iterator[Finding]:
    if acme.ca:
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


def _namespace(namespace: Namespace) -> Iterator[Finding]:
    for label in namespace.metadata.labels:
        if label.startswith("pod-security.kubernetes.io/"):
            message = f"{label} changes nothing here: what pods may do is written in the Cluster"
            fix = f"name the level in its spec.podSecurity.namespaces, under {namespace.metadata.name}"
            yield warning(("metadata", "labels", label), Code.IGNORED_FIELD, message, fix, at_key=True)


def _claim(claim: PersistentVolumeClaim) -> Iterator[Finding]:
    modes = claim.spec.access_modes
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        message = "ReadWriteOncePod stands alone"
        yield Finding(("spec", "accessModes"), Code.CONFLICTING_FIELDS, message, "remove the others, or it")
    storage = claim.spec.resources.requests["storage"]
    if storage.value <= 0:
        at: Pointer = ("spec", "resources", "requests", "storage")
        yield Finding(at, Code.IMPOSSIBLE_RESOURCES, f"storage cannot be {storage}", "write more than 0")


def _cluster(cluster: Cluster) -> Iterator[Finding]:
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
