"""Faults within the Cluster that only a look at several of its fields shows."""

import pytest

from tests.good_revision import Faults, Load


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("podCIDR: 10.244.1.0/16", "cluster.yaml:6:12 /spec/podCIDR invalid-address"),
        ("podCIDR: 10.244.0.0/33", "cluster.yaml:6:12 /spec/podCIDR invalid-value"),
        ("serviceCIDR: 10.244.128.0/17", "cluster.yaml:6:16 /spec/serviceCIDR overlapping-cidrs"),
        ("serviceCIDR: 10.97.0.0/29", "cluster.yaml:6:16 /spec/serviceCIDR outside-cidr"),
        ("podCIDR: 10.8.0.0/26", "cluster.yaml:6:3 /spec/nodePrefix outside-cidr"),
        ("podCidr: 10.8.0.0/16", "cluster.yaml:6:3 /spec/podCidr unknown-field"),
    ],
)
def test_a_contradiction_in_the_cluster_is_refused(
    load: Load, faults: Faults, good: dict[str, str], spec: str, expected: object
) -> None:
    assert expected in faults(load({"cluster.yaml": good["cluster.yaml"] + f"spec:\n  {spec}\n"}))
