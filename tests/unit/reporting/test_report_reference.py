"""The reference names every field that the JSON forms have."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.model.desired import Revision
from reconciler.model.names import Ref
from reconciler.model.observed import Ended
from reconciler.model.plan import (
    Action,
    ClaimStatus,
    Condition,
    ContainerStatus,
    DeploymentStatus,
    FieldChange,
    Hold,
    IngressStatus,
    NodeStatus,
    ObjectChange,
    PodChange,
    PodStatus,
    ServiceStatus,
    Unplaced,
)
from reconciler.model.problems import Place, Problem
from reconciler.model.records import Event
from reconciler.reporting import (
    PlanReport,
    RejectedBase,
    UnreachableNode,
    endpoints_object,
    event_json,
    object_list,
    plan_json,
    problems_json,
    status_object,
)
from reconciler.reporting.usage import NodeUsage, PodUsage, usage_json

REFERENCE = Path(__file__).parents[3] / "docs/reference/report.md"

REF = Ref("Pod", "shop", "web")
PLACE = Place("a.yaml", 1, 1)
PROBLEM = Problem(PLACE, "code", "message")
FULL = PlanReport(
    revision=Revision("8c1f2d3e", "/srv/shop"),
    nodes=1,
    objects=(ObjectChange("~", REF, (FieldChange("a", 1, 2),), PLACE),),
    changes=(PodChange(Action.MOVE, REF, "u", "node-1", "why", REF, "node-2", PLACE),),
    unplaced=(Unplaced(REF, 1, {}),),
    unreachable=(UnreachableNode("node-1", "why"),),
    hold=Hold("reason", "fix"),
    rejected_base=RejectedBase(Revision("1a2b3c4d", "/srv/shop"), 2),
    warnings=(PROBLEM,),
)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


ENDED = Ended(1, at="2026-11-23T11:55:00Z")
BALANCER = ServiceStatus(
    Ref("Service", "shop", "web"),
    "LoadBalancer",
    "10.96.0.1",
    ("80:30080/TCP",),
    ("10.244.0.2:80",),
    ("192.0.2.1", "edge.example.org"),
    "why",
    1.0,
)
STATUSES = (
    PodStatus(
        REF,
        "u",
        "node-1",
        "10.244.0.2",
        "Failed",
        False,
        owner=Ref("Deployment", "shop", "web"),
        reason="why",
        message="why",
        containers=(
            ContainerStatus("init", "i", "waiting", "why", "why", kind="init", last_end=ENDED),
            ContainerStatus("web", "i", "running", started_at=ENDED.at),
            ContainerStatus(
                "job", "i", "terminated", "why", "why", 1, 1, started_at=ENDED.at, finished_at=ENDED.at
            ),
        ),
        conditions=(Condition("Ready", False, "why", "why", 1.0),),
        created=1.0,
    ),
    DeploymentStatus(Ref("Deployment", "shop", "web"), 1, 1, 1, 1, 1, "why"),
    NodeStatus(Ref("Node", "", "node-1"), True, "why", 1, 1, 1, 1, 1, True, "10.244.0.0/24", "20.10"),
    BALANCER,
    ServiceStatus(Ref("Service", "shop", "mail"), "ExternalName", "", (), (), ("mail.example.org",)),
    IngressStatus(Ref("Ingress", "shop", "web"), "haproxy", ("a.org",), ("192.0.2.7",), (80,), "why"),
    ClaimStatus(Ref("PersistentVolumeClaim", "shop", "data"), "Bound", "node-1", "c_shop_data", "why"),
)
OTHERS = (
    *(status_object(status) for status in STATUSES),
    endpoints_object(BALANCER),
    object_list([]),
    event_json(Event(REF, "Normal", "Started", "why", "node-1", 1.0)),
    usage_json(PodUsage(REF, "web", 1, 1)),
    usage_json(NodeUsage("node-1", 1, 1, 1, 1)),
)


def test_the_reference_names_every_field_of_the_json_forms() -> None:
    named = set(re.findall(r"`(\w+)(?:\[\])?`", REFERENCE.read_text(encoding="utf-8")))
    assert {*keys(plan_json(FULL)), *keys(problems_json((PROBLEM,)))} <= named
    assert {key for shown in OTHERS for key in keys(shown)} <= named
