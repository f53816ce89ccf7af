"""Faults that show only when objects are looked at together."""

import pytest

from reconciler.model.desired import Desired, Rejected
from tests.good_revision import Faults, Load


def renamed(text: str, name: str) -> str:
    return text.replace("name: web\n", f"name: {name}\n", 1)


@pytest.mark.fault(19)
def test_two_objects_of_one_name_are_refused_naming_both(load: Load, faults: Faults, good: dict[str, str]) -> None:
    result = load({"z.yaml": "# again\n" + good["config.yaml"]})
    assert faults(result) == ["z.yaml:5:9 /metadata/name duplicate-object"]
    assert "config.yaml:1:1" in result.problems[0].message


def test_the_same_name_in_another_namespace_is_another_object(load: Load, good: dict[str, str]) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: other\n---\n"
    other = good["config.yaml"].replace("name: settings", "name: settings\n  namespace: other")
    assert isinstance(load({"z.yaml": namespace + other}), Desired)


@pytest.mark.fault(23)
def test_overlapping_selectors_are_refused_naming_both(load: Load, faults: Faults, good: dict[str, str]) -> None:
    other = renamed(good["web.yaml"], "web-two").replace("        app: web", "        app: web\n        tier: two")
    result = load({"z.yaml": other})
    assert faults(result) == [
        "web.yaml:9:7 /spec/selector/matchLabels overlapping-selectors",
        "z.yaml:9:7 /spec/selector/matchLabels overlapping-selectors",
    ]
    assert "z.yaml:1:1" in result.problems[0].message


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"config.yaml": None}, [("web.yaml:23:23", "/envFrom/0/configMapRef/name", "dangling-reference")]),
        ({"secret.yaml": None}, [("web.yaml:28:25", "/env/0/valueFrom/secretKeyRef/name", "dangling-reference")]),
    ],
)
def test_a_reference_to_nothing_is_refused(
    load: Load, faults: Faults, files: dict[str, None], expected: list[tuple[str, str, str]]
) -> None:
    at = "/spec/template/spec/containers/0"
    assert faults(load(files)) == [f"{place} {at}{pointer} {code}" for place, pointer, code in expected]


def test_a_reference_to_a_missing_key_is_refused(changed: Load, faults: Faults) -> None:
    assert faults(changed("web.yaml", "key: token", "key: tokne")) == [
        "web.yaml:29:24 /spec/template/spec/containers/0/env/0/valueFrom/secretKeyRef/key missing-key"
    ]


def test_an_optional_reference_may_lead_nowhere(changed: Load, good: dict[str, str], load: Load) -> None:
    web = good["web.yaml"].replace("name: settings", "name: nothing\n                optional: true")
    assert isinstance(load({"web.yaml": web}), Desired)


def test_an_unknown_port_name_is_refused_with_the_known_ones(changed: Load, faults: Faults) -> None:
    result = changed("web-service.yaml", "targetPort: http", "targetPort: htpp")
    assert faults(result) == ["web-service.yaml:10:19 /spec/ports/0/targetPort unknown-port"]
    assert "http" in result.problems[0].fix


def test_a_service_that_selects_nothing_is_a_warning(changed: Load, faults: Faults) -> None:
    result = changed("web-service.yaml", "app: web", "app: wbe")
    assert isinstance(result, Desired)
    assert faults(result) == ["web-service.yaml:7:5 /spec/selector selects-nothing"]


def test_an_unknown_namespace_is_refused(changed: Load, faults: Faults) -> None:
    result = changed("config.yaml", "name: settings", "name: settings\n  namespace: shop")
    assert "config.yaml:5:14 /metadata/namespace unknown-namespace" in faults(result)


@pytest.mark.fault(27)
def test_a_cluster_and_a_node_are_needed(load: Load, faults: Faults, good: dict[str, str]) -> None:
    assert faults(load({"cluster.yaml": None})) == [".  no-cluster"]
    assert faults(load({"node.yaml": None})) == [".  no-node"]
    assert faults(load({"z.yaml": good["cluster.yaml"].replace("lab", "other")})) == [
        "cluster.yaml:2:7 /kind several-clusters",
        "z.yaml:2:7 /kind several-clusters",
    ]


def test_a_node_that_does_not_exist_is_refused_and_labels_that_no_node_has_are_a_warning(
    load: Load, changed: Load, faults: Faults
) -> None:
    at = "/spec/template/spec"
    assert faults(changed("web.yaml", "    spec:\n", "    spec:\n      nodeName: node-9\n")) == [
        f"web.yaml:15:17 {at}/nodeName unknown-node"
    ]
    result = changed("web.yaml", "    spec:\n", "    spec:\n      nodeSelector: {disk: ssd}\n")
    assert isinstance(result, Desired)
    assert faults(result) == [f"web.yaml:15:21 {at}/nodeSelector no-matching-node"]
    own = "    spec:\n      nodeSelector: {kubernetes.io/hostname: node-1}\n"
    assert faults(changed("web.yaml", "    spec:\n", own)) == []


def test_two_nodes_at_one_address_are_refused(load: Load, faults: Faults, good: dict[str, str]) -> None:
    result = load({"z.yaml": good["node.yaml"].replace("node-1", "node-2").replace(":22", "")})
    assert faults(result) == ["z.yaml:6:25 /metadata/annotations/reconciler.dev~1ssh duplicate-address"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("10.244.1.0/24", "10.244.2.0/24", None),
        ("10.244.1.0/24", "10.244.1.128/25", "z.yaml:8:12 /spec/podCIDR overlapping-cidrs"),
        ("10.244.1.0/24", "10.9.0.0/24", "z.yaml:8:12 /spec/podCIDR outside-cidr"),
    ],
)
def test_pod_networks_are_apart_and_inside_of_the_clusters(
    load: Load, faults: Faults, good: dict[str, str], first: str, second: str, expected: object
) -> None:
    node = good["node.yaml"]
    result = load(
        {
            "node.yaml": node + f"spec:\n  podCIDR: {first}\n",
            "z.yaml": node.replace("node-1", "node-2").replace("10.0.0.1", "10.0.0.2")
            + f"spec:\n  podCIDR: {second}\n",
        }
    )
    assert faults(result) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (("10.96.0.5", "10.96.0.6"), []),
        (("10.96.0.5", "10.96.0.5"), ["z.yaml:6:14 /spec/clusterIP duplicate-address"]),
        (("10.96.0.5", "10.1.0.5"), ["z.yaml:6:14 /spec/clusterIP outside-cidr"]),
        (("10.96.0.5", "10.96.0.11"), ["z.yaml:6:14 /spec/clusterIP duplicate-address"]),
    ],
)
def test_service_addresses_are_apart_and_in_their_network(
    load: Load, faults: Faults, good: dict[str, str], addresses: tuple[str, str], expected: list[str]
) -> None:
    service = good["web-service.yaml"]
    first, second = (service.replace("spec:\n", f"spec:\n  clusterIP: {address}\n") for address in addresses)
    assert faults(load({"web-service.yaml": first, "z.yaml": renamed(second, "other")})) == expected


def test_a_node_port_is_given_once(load: Load, faults: Faults, good: dict[str, str]) -> None:
    service = good["web-service.yaml"].replace("spec:\n", "spec:\n  type: NodePort\n")
    service = service.replace("targetPort", "nodePort: 30080\n      targetPort")
    assert faults(load({"web-service.yaml": service, "z.yaml": renamed(service, "other")})) == [
        "z.yaml:11:17 /spec/ports/0/nodePort duplicate-port"
    ]


def test_correcting_one_object_clears_what_others_were_told_about_it(load: Load, good: dict[str, str]) -> None:
    assert isinstance(load({"config.yaml": None}), Rejected)
    assert isinstance(load(), Desired)
    assert isinstance(load({"z.yaml": renamed(good["web.yaml"], "twin")}), Rejected)
    assert isinstance(load({"z.yaml": good["config.yaml"].replace("settings", "more")}), Desired)
