"""EndpointSlices: the Service that each belongs to, and the addresses that it may lead to."""

from textwrap import dedent

import pytest

from reconciler.model.api.discovery import EndpointSlice
from reconciler.model.api.meta import OwnerReference
from reconciler.model.desired import Desired, Rejected
from reconciler.model.names import Ref
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
SLICE = dedent("""\
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata:
      name: db-1
      labels:
        kubernetes.io/service-name: db
    addressType: IPv4
    ports:
      - port: 15432
    endpoints:
      - addresses: [192.0.2.7]
    """)


def test_an_endpoint_slice_belongs_to_a_service_without_a_selector(load: Load, faults: Faults) -> None:
    result = load({"db.yaml": SERVICE, "slice.yaml": SLICE})
    assert isinstance(result, Desired)
    assert faults(result) == []
    (found,) = result.of(EndpointSlice).values()
    assert (found.endpoints[0].addresses, found.ports[0].port) == (("192.0.2.7",), 15432)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "kubernetes.io/service-name: db",
            "app: db",
            ["slice.yaml:4:3 /metadata missing-field"],
        ),
        (
            "kubernetes.io/service-name: db",
            "kubernetes.io/service-name: other",
            ["slice.yaml:6:33 /metadata/labels/kubernetes.io~1service-name dangling-reference"],
        ),
        (
            "kubernetes.io/service-name: db",
            "kubernetes.io/service-name: web",
            ["slice.yaml:6:33 /metadata/labels/kubernetes.io~1service-name conflicting-fields"],
        ),
        ("- port: 15432", "- port: 15432\n    name: sql", ["slice.yaml:10:11 /ports/0/name unknown-port"]),
        (
            "- port: 15432",
            "- port: 15432\n  - port: 15433",
            ["slice.yaml:10:5 /ports/1 duplicate-name"],
        ),
        ("192.0.2.7", "127.0.0.1", ["slice.yaml:11:17 /endpoints/0/addresses/0 invalid-address"]),
        ("192.0.2.7", "169.254.169.254", ["slice.yaml:11:17 /endpoints/0/addresses/0 invalid-address"]),
        ("192.0.2.7", "10.96.0.1", ["slice.yaml:11:17 /endpoints/0/addresses/0 invalid-address"]),
        ("192.0.2.7", "10.244.0.9", ["slice.yaml:11:17 /endpoints/0/addresses/0 invalid-address"]),
        ("192.0.2.7", "2001:db8::1", ["slice.yaml:11:17 /endpoints/0/addresses/0 invalid-value"]),
        ("IPv4", "IPv6", ["slice.yaml:7:14 /addressType refused-field"]),
    ],
)
def test_an_endpoint_slice_that_leads_nowhere_good_is_refused(
    load: Load, faults: Faults, old: str, new: str, expected: list[str]
) -> None:
    """What is said of the Service besides is that nothing answers for it."""
    result = load({"db.yaml": SERVICE, "slice.yaml": SLICE.replace(old, new)})
    assert isinstance(result, Rejected)
    found = [fault for fault in faults(result) if "selects-nothing" not in fault]
    assert found == expected


def test_of_several_addresses_of_one_endpoint_the_first_is_used(load: Load, faults: Faults) -> None:
    several = SLICE.replace("[192.0.2.7]", "[192.0.2.7, 192.0.2.8]")
    result = load({"db.yaml": SERVICE, "slice.yaml": several})
    assert faults(result) == ["slice.yaml:11:28 /endpoints/0/addresses/1 ignored-field"]


def test_endpoints_of_the_old_kind_are_refused_with_the_new_one_named(load: Load) -> None:
    result = load({"old.yaml": "apiVersion: v1\nkind: Endpoints\nmetadata:\n  name: db\nsubsets: []\n"})
    assert isinstance(result, Rejected)
    (problem,) = result.problems
    assert problem.code == "unknown-kind"
    assert "EndpointSlice" in problem.fix


def test_it_is_published_as_its_services_own(load: Load) -> None:
    result = load({"db.yaml": f"{SERVICE}---\n{SLICE}"})
    assert isinstance(result, Desired)
    published = result.metadata[Ref("EndpointSlice", "default", "db-1")].metadata
    assert published.owner_references == (OwnerReference("v1", "Service", "db", "", True, True),)
    assert published.labels == {
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "reconciler.dev",
    }


def test_a_note_of_who_manages_it_stays(load: Load) -> None:
    noted = SLICE.replace("labels:\n", "labels:\n    endpointslice.kubernetes.io/managed-by: dba\n")
    result = load({"db.yaml": f"{SERVICE}---\n{noted}"})
    assert isinstance(result, Desired)
    published = result.metadata[Ref("EndpointSlice", "default", "db-1")].metadata
    assert published.labels["endpointslice.kubernetes.io/managed-by"] == "dba"
