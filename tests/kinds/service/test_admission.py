"""Services: what is accepted, and what contradicts itself, another object or a host."""

from textwrap import dedent

import pytest

from reconciler.model.api.core.service import Service
from reconciler.model.desired import Desired, Rejected
from reconciler.model.names import Ref
from reconciler.model.service_options import ServiceOptions
from reconciler.model.services import port_protocol
from tests.good_revision import Faults, Load

SERVICE = dedent("""\
    apiVersion: v1
    kind: Service
    metadata:
      name: db
    spec:
      ports:
        - port: 5432
    """)
DB = Ref("Service", "default", "db")


CLUSTER = dedent("""\
    apiVersion: reconciler.dev/v1
    kind: Cluster
    metadata: {name: lab}
    spec:
      network:
        externalIPs: [{cidr: 192.0.2.0/24, namespaces: [default]}, {cidr: 10.0.0.0/8}]
    """)
INGRESS = dedent("""\
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {name: web}
    spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}
    """)


def service(spec: str, name: str = "db", notes: str = "") -> str:
    annotations = f"  annotations: {{{notes}}}\n" if notes else ""
    return f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n{annotations}spec:\n" + "".join(
        f"  {line}\n" for line in spec.splitlines()
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "targetPort: http",
            "nodePort: 30080",
            "web-service.yaml:10:17 /spec/ports/0/nodePort conflicting-fields",
        ),
        ("targetPort: http", "nodePort: 80", "web-service.yaml:10:17 /spec/ports/0/nodePort invalid-value"),
        (
            "  selector",
            "  type: NodePort\n  clusterIP: None\n  selector",
            "web-service.yaml:7:14 /spec/clusterIP conflicting-fields",
        ),
        (
            "    - port: 80",
            "    - port: 80\n      name: a\n    - port: 80\n      name: a",
            "web-service.yaml:11:13 /spec/ports/1/port duplicate-port",
        ),
        ("    - port: 80", "    - port: 81\n    - port: 80", "web-service.yaml:9:7 /spec/ports/0 missing-field"),
    ],
)
def test_a_contradiction_in_a_service_is_refused(
    changed: Load, faults: Faults, old: str, new: str, expected: object
) -> None:
    assert expected in faults(changed("web-service.yaml", old, new))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("selector: {app: web}", "db.yaml:6:3 /spec missing-field"),
        ("selector: {app: web}\nports: []", "db.yaml:6:3 /spec missing-field"),
        ("type: ExternalName", "db.yaml:6:3 /spec missing-field"),
        ("type: ExternalName\nexternalName: 192.0.2.1", "db.yaml:7:17 /spec/externalName invalid-value"),
        (
            "type: ExternalName\nexternalName: a.org\nclusterIP: None",
            "db.yaml:8:14 /spec/clusterIP conflicting-fields",
        ),
        (
            "type: ExternalName\nexternalName: a.org\nexternalIPs: [192.0.2.1]",
            "db.yaml:8:16 /spec/externalIPs conflicting-fields",
        ),
        ("externalName: a.org\nports: [{port: 1}]", "db.yaml:6:17 /spec/externalName conflicting-fields"),
        ("clusterIP: None\ntype: LoadBalancer", "db.yaml:6:14 /spec/clusterIP conflicting-fields"),
        ("clusterIP: None\nexternalIPs: [192.0.2.1]", "db.yaml:7:16 /spec/externalIPs conflicting-fields"),
        (
            "externalTrafficPolicy: Local\nports: [{port: 1}]",
            "db.yaml:6:26 /spec/externalTrafficPolicy conflicting-fields",
        ),
        (
            "loadBalancerSourceRanges: [192.0.2.0/24]\nports: [{port: 1}]",
            "db.yaml:6:29 /spec/loadBalancerSourceRanges conflicting-fields",
        ),
        (
            "type: LoadBalancer\nloadBalancerSourceRanges: [192.0.2.1/24]\nports: [{port: 1}]",
            "db.yaml:7:30 /spec/loadBalancerSourceRanges/0 invalid-address",
        ),
        (
            "allocateLoadBalancerNodePorts: false\nports: [{port: 1}]",
            "db.yaml:6:34 /spec/allocateLoadBalancerNodePorts conflicting-fields",
        ),
        (
            "sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}\nports: [{port: 1}]",
            "db.yaml:6:26 /spec/sessionAffinityConfig conflicting-fields",
        ),
        ("externalIPs: [127.0.0.1]\nports: [{port: 1}]", "db.yaml:6:17 /spec/externalIPs/0 invalid-address"),
        ("externalIPs: [169.254.0.1]\nports: [{port: 1}]", "db.yaml:6:17 /spec/externalIPs/0 invalid-address"),
        ("externalIPs: [224.0.0.1]\nports: [{port: 1}]", "db.yaml:6:17 /spec/externalIPs/0 invalid-address"),
        ("externalIPs: [0.0.0.0]\nports: [{port: 1}]", "db.yaml:6:17 /spec/externalIPs/0 invalid-address"),
        (
            "externalIPs: [192.0.2.1, 192.0.2.1]\nports: [{port: 1}]",
            "db.yaml:6:28 /spec/externalIPs/1 duplicate-address",
        ),
        ("ports: [{port: 1, protocol: UDP}]", "db.yaml:6:31 /spec/ports/0/protocol refused-field"),
        ("ports: [{port: 1, appProtocol: 'a b'}]", "db.yaml:6:34 /spec/ports/0/appProtocol invalid-value"),
    ],
)
def test_a_service_that_contradicts_itself_is_refused(
    load: Load, faults: Faults, spec: str, expected: str
) -> None:
    result = load({"db.yaml": service(spec)})
    assert isinstance(result, Rejected)
    assert faults(result) == [expected]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("clusterIP: None\nselector: {app: web}", []),
        ("type: ExternalName\nexternalName: a.example.org.", []),
        (
            "type: ExternalName\nexternalName: a.org\nselector: {app: web}",
            ["db.yaml:8:3 /spec/selector ignored-field"],
        ),
        (
            "clusterIP: None\nselector: {app: web}\nsessionAffinity: ClientIP",
            ["db.yaml:8:3 /spec/sessionAffinity ignored-field"],
        ),
        ("type: LoadBalancer\nselector: {app: web}\nports: [{port: 80, nodePort: 30080}]", []),
        ("ports: [{port: 80}]", ["db.yaml:6:3 /spec selects-nothing"]),
    ],
)
def test_what_needs_no_ports_or_nobody_behind_it_is_accepted(
    load: Load, faults: Faults, spec: str, expected: list[str]
) -> None:
    result = load({"db.yaml": service(spec)})
    assert isinstance(result, Desired)
    assert faults(result) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("externalIPs: [10.244.3.4]\nports: [{port: 1}]", "z.yaml:6:17 /spec/externalIPs/0 invalid-address"),
        ("externalIPs: [10.96.3.4]\nports: [{port: 1}]", "z.yaml:6:17 /spec/externalIPs/0 invalid-address"),
        ("externalIPs: [192.0.2.9]\nports: [{port: 80}]", "z.yaml:6:17 /spec/externalIPs/0 duplicate-port"),
        ("externalIPs: [10.0.0.1]\nports: [{port: 22}]", "z.yaml:6:17 /spec/externalIPs/0 duplicate-port"),
        ("externalIPs: [10.0.0.1]\nports: [{port: 80}]", "z.yaml:6:17 /spec/externalIPs/0 duplicate-port"),
        ("type: LoadBalancer\nports: [{port: 80}]", "z.yaml:7:18 /spec/ports/0/port duplicate-port"),
        ("type: LoadBalancer\nports: [{port: 22}]", "z.yaml:7:18 /spec/ports/0/port duplicate-port"),
        ("type: LoadBalancer\nports: [{port: 30080}]", "z.yaml:7:18 /spec/ports/0/port duplicate-port"),
        (
            "type: NodePort\nports: [{port: 9, nodePort: 30080}]",
            "z.yaml:7:31 /spec/ports/0/nodePort duplicate-port",
        ),
        ("externalIPs: [192.0.2.8]\nports: [{port: 30080}]", "z.yaml:6:17 /spec/externalIPs/0 duplicate-port"),
    ],
)
def test_a_port_of_the_hosts_has_one_owner(load: Load, faults: Faults, other: str, expected: str) -> None:
    first = service("type: LoadBalancer\nexternalIPs: [192.0.2.9]\nports: [{port: 80, nodePort: 30080}]", "a")
    result = load({"cluster.yaml": CLUSTER, "a.yaml": first, "z.yaml": service(other, "z")})
    assert isinstance(result, Rejected)
    assert [fault for fault in faults(result) if "selects-nothing" not in fault] == [expected]


def test_a_load_balancer_takes_the_ports_of_edges_only(load: Load, good: dict[str, str]) -> None:
    edge = good["node.yaml"].replace("node-1", "node-2").replace("10.0.0.1", "10.0.0.2")
    edge = edge.replace("metadata:\n", "metadata:\n  labels: {reconciler.dev/edge: 'true'}\n")
    files = {
        "cluster.yaml": CLUSTER,
        "edge.yaml": edge,
        "a.yaml": service("type: LoadBalancer\nselector: {app: web}\nports: [{port: 80}]", "a"),
        "z.yaml": service("externalIPs: [10.0.0.1]\nselector: {app: web}\nports: [{port: 80}]", "z"),
    }
    assert isinstance(load(files), Desired)
    assert isinstance(load({**files, "edge.yaml": edge.replace("'true'", "'false'")}), Rejected)


def test_external_addresses_are_the_clusters_to_give(load: Load, faults: Faults) -> None:
    asked = "externalIPs: [192.0.2.1]\nselector: {app: web}\nports: [{port: 9}]"
    refused = load({"z.yaml": service(asked)})
    assert faults(refused) == ["z.yaml:6:17 /spec/externalIPs/0 address-not-allowed"], "none by default"
    assert "{cidr: 192.0.2.1/32, namespaces: [default]}" in refused.problems[0].fix
    assert isinstance(load({"cluster.yaml": CLUSTER, "z.yaml": service(asked)}), Desired)
    theirs = CLUSTER.replace("[default]", "[shop]")
    assert faults(load({"cluster.yaml": theirs, "z.yaml": service(asked)})) == faults(refused)
    everybodys = asked.replace("192.0.2.1", "10.0.0.77")
    assert isinstance(load({"cluster.yaml": theirs, "z.yaml": service(everybodys)}), Desired)
    crooked = load({"cluster.yaml": CLUSTER.replace("192.0.2.0/24", "192.0.2.1/24")})
    assert faults(crooked) == ["cluster.yaml:6:26 /spec/network/externalIPs/0/cidr invalid-address"]


@pytest.mark.parametrize("port", [80, 443])
def test_an_external_address_of_an_edge_takes_no_port_of_the_ingresses(
    load: Load, faults: Faults, port: int
) -> None:
    other = service(f"externalIPs: [10.0.0.1]\nselector: {{app: web}}\nports: [{{port: {port}}}]", "z")
    first = service("selector: {app: web}\nports: [{port: 80}]", "a")
    files = {"cluster.yaml": CLUSTER, "a.yaml": first, "z.yaml": other}
    assert isinstance(load(files), Desired)
    result = load({**files, "site.yaml": INGRESS})
    assert faults(result) == ["z.yaml:6:17 /spec/externalIPs/0 duplicate-port"]
    assert "Ingresses" in result.problems[0].message
    elsewhere = INGRESS.replace("spec: {", "spec: {ingressClassName: nginx, ")
    assert isinstance(load({**files, "site.yaml": elsewhere}), Desired)


@pytest.mark.parametrize(
    ("notes", "options"),
    [
        ("", ServiceOptions()),
        ("reconciler.dev/protocol: http", ServiceOptions(protocol="http")),
        ("reconciler.dev/proxy-protocol: 'true'", ServiceOptions(proxy_protocol=True)),
        ("reconciler.dev/slow-start: 2m", ServiceOptions(slow_start=120_000)),
        ("reconciler.dev/balance: source", ServiceOptions(balance="source")),
    ],
)
def test_annotations_become_options_and_stay_annotations(load: Load, notes: str, options: ServiceOptions) -> None:
    result = load({"db.yaml": service("selector: {app: web}\nports: [{port: 80}]", notes=notes)})
    assert result.of(Service)[DB].options == options
    assert "options" not in result.manifests[DB]


@pytest.mark.parametrize(
    "note",
    [
        "protocol: udp",
        "proxy-protocol: v2",
        "slow-start: 0s",
        "slow-start: 2h",
        "slow-start: soon",
        "balance: first",
        "balance: 'source\\n    server evil 127.0.0.1:1'",
    ],
)
def test_an_annotation_that_means_nothing_is_refused(load: Load, faults: Faults, note: str) -> None:
    result = load(
        {"db.yaml": service("selector: {app: web}\nports: [{port: 80}]", notes=f"reconciler.dev/{note}")}
    )
    name, _, _ = note.partition(":")
    column = 34 + len(name)
    assert faults(result) == [
        f"db.yaml:5:{column} /metadata/annotations/reconciler.dev~1{name} invalid-annotation"
    ]


@pytest.mark.parametrize(
    ("app_protocol", "note", "expected"),
    [
        ("", "", "tcp"),
        ("http", "", "http"),
        ("HTTP", "", "http"),
        ("kubernetes.io/ws", "", "http"),
        ("kubernetes.io/wss", "", "tcp"),
        ("https", "", "tcp"),
        ("postgresql", "", "tcp"),
        ("grpc", "", "h2c"),
        ("kubernetes.io/h2c", "", "h2c"),
        ("", "http", "http"),
        ("postgresql", "http", "http"),
        ("http", "tcp", "tcp"),
        ("h2c", "tcp", "tcp"),
        ("h2c", "http", "h2c"),
    ],
)
def test_the_annotation_decides_before_the_ports_own_protocol(
    load: Load, app_protocol: str, note: str, expected: str
) -> None:
    spec = (
        f"selector: {{app: web}}\nports: [{{port: 80{', appProtocol: ' + app_protocol if app_protocol else ''}}}]"
    )
    result = load({"db.yaml": service(spec, notes=f"reconciler.dev/protocol: {note}" if note else "")})
    found = result.of(Service)[DB]
    assert port_protocol(found, found.spec.ports[0]) == expected
