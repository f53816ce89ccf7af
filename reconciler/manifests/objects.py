"""What JSON Schema cannot say about one object, without looking at any other."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from reconciler.manifests.annotations import check_annotations
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.manifests.ingress_specs import check_ingress_spec
from reconciler.manifests.pod_specs import check_pod_spec
from reconciler.manifests.policy import check_policy
from reconciler.model.objects import (
    Cluster,
    Deployment,
    Ingress,
    IntOrPercent,
    Namespace,
    Node,
    Object,
    PersistentVolumeClaim,
    Pod,
    Service,
)


def check_object(thing: Object) -> Iterator[Finding]:
    """Every fault of an object that was decoded, and every warning about it."""
    yield from check_annotations(thing)
    match thing:
        case Pod():
            yield from check_pod_spec(thing.spec, ("spec",))
        case Deployment():
            yield from _deployment(thing)
        case Service():
            yield from _service(thing)
        case Ingress():
            yield from check_ingress_spec(thing)
        case Node():
            if thing.spec.pod_cidr:
                yield from _network(thing.spec.pod_cidr, ("spec", "podCIDR"))
        case Cluster():
            yield from _cluster(thing)
        case Namespace():
            yield from _namespace(thing)
        case PersistentVolumeClaim():
            yield from _claim(thing)


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
    rolling = spec.strategy.rolling_update
    at: Pointer = ("spec", "strategy", "rollingUpdate")
    if spec.strategy.type == "RollingUpdate" and _is_zero(rolling.max_surge) and _is_zero(rolling.max_unavailable):
        message = "maxSurge and maxUnavailable are both 0: no pod could ever be replaced"
        yield Finding(at, Code.IMPOSSIBLE_ROLLOUT, message, "give one of them at least 1")


def _is_zero(amount: IntOrPercent) -> bool:
    return amount in (0, "0%")


def _service(service: Service) -> Iterator[Finding]:
    spec = service.spec
    headless = spec.cluster_ip == "None"
    if headless and spec.type == "NodePort":
        fix = "remove clusterIP, or the type"
        yield Finding(("spec", "clusterIP"), Code.CONFLICTING_FIELDS, "a headless Service has no node ports", fix)
    names: set[str] = set()
    numbers: set[int] = set()
    node_ports: set[int] = set()
    for index, port in enumerate(spec.ports):
        at: Pointer = ("spec", "ports", index)
        if not port.name and len(spec.ports) > 1:
            yield Finding(at, Code.MISSING_FIELD, "with several ports, each has a name", "add a name")
        if port.name and port.name in names:
            message = f"another port is named {port.name}"
            yield Finding((*at, "name"), Code.DUPLICATE_NAME, message, "give each its own name")
        if port.port in numbers:
            message = f"the port {port.port} is given twice"
            yield Finding((*at, "port"), Code.DUPLICATE_PORT, message, "give each its own number")
        if port.node_port and spec.type != "NodePort":
            message = "only a Service of type NodePort has node ports"
            yield Finding(
                (*at, "nodePort"), Code.CONFLICTING_FIELDS, message, "write type: NodePort, or remove it"
            )
        if port.node_port and port.node_port in node_ports:
            message = f"the node port {port.node_port} is given twice"
            yield Finding((*at, "nodePort"), Code.DUPLICATE_PORT, message, "choose another one")
        names.add(port.name)
        numbers.add(port.port)
        node_ports.add(port.node_port)


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
    if spec.image_gc.low_threshold_percent >= spec.image_gc.high_threshold_percent:
        message = "images would never be removed, or always"
        fix = f"write less than {spec.image_gc.high_threshold_percent}"
        yield Finding(("spec", "imageGC", "lowThresholdPercent"), Code.INVALID_VALUE, message, fix)
    faults = [*_network(spec.pod_cidr, ("spec", "podCIDR")), *_network(spec.service_cidr, ("spec", "serviceCIDR"))]
    yield from faults
    if faults:
        return
    pods, services = IPv4Network(spec.pod_cidr), IPv4Network(spec.service_cidr)
    if pods.overlaps(services):
        message = f"the service CIDR {services} overlaps the pod CIDR {pods}"
        yield Finding(
            ("spec", "serviceCIDR"), Code.OVERLAPPING_CIDRS, message, "choose networks that share no address"
        )
    if spec.node_prefix < pods.prefixlen:
        message = f"a node's part (/{spec.node_prefix}) is larger than the whole pod CIDR {pods}"
        fix = f"write a number of {pods.prefixlen} or more, or widen podCIDR"
        yield Finding(("spec", "nodePrefix"), Code.OUTSIDE_CIDR, message, fix)


def _network(text: str, at: Pointer) -> Iterator[Finding]:
    """The schema knows the form; that the address is the network's first, only arithmetic knows."""
    network = IPv4Network(text, strict=False)
    if str(network) != text:
        message = f"{text} is an address inside of {network}, not a network"
        yield Finding(at, Code.INVALID_ADDRESS, message, f"write {network}")
