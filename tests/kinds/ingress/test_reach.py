"""Ingresses that lead to pods which no policy opens to them are warned of."""

from textwrap import indent

import pytest

from tests.good_revision import Faults, Load

SITE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web}
spec:
  podSelector: {matchLabels: {app: web}}
"""
NAMED = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: reconciler-ingress}}"
OURS = "app.kubernetes.io/name: ingress"
LABELLED = "namespaceSelector: {matchLabels: {team: edge}}"
SPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: reconciler-ingress, labels: {team: edge}}\n"


@pytest.mark.parametrize(
    ("spec", "open_"),
    [
        ("ingress: []", False),
        ("policyTypes: [Egress]", True),
        ("ingress: [{}]", True),
        ("ingress: [{from: [{podSelector: {}}]}]", False),
        (f"ingress: [{{from: [{{{NAMED}}}]}}]", True),
        (f"ingress: [{{from: [{{{NAMED}, podSelector: {{matchLabels: {{{OURS}}}}}}}]}}]", True),
        (f"ingress: [{{from: [{{{NAMED}, podSelector: {{matchLabels: {{app: other}}}}}}]}}]", False),
        (f"ingress: [{{from: [{{{LABELLED}}}]}}]", True),
        ("ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}]", True),
    ],
)
def test_an_ingress_that_leads_to_pods_which_are_closed_to_it(
    load: Load, faults: Faults, spec: str, open_: bool
) -> None:
    policy = POLICY + indent(spec, "  ") + "\n"
    found = faults(load({"site.yaml": SITE, "policy.yaml": policy, "space.yaml": SPACE}))
    told = [fault for fault in found if "not-reached" in fault]
    assert told == ([] if open_ else ["site.yaml:9:41 /spec/defaultBackend/service/name not-reached"])
