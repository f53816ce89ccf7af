"""The reference names every field that the JSON forms have."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.model.desired import Revision
from reconciler.model.names import Ref
from reconciler.model.plan import Action, FieldChange, Hold, ObjectChange, PodChange, Unplaced
from reconciler.model.problems import Place, Problem
from reconciler.reporting import PlanReport, UnreachableNode, plan_json, problems_json

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


def test_the_reference_names_every_field_of_the_json_forms() -> None:
    named = set(re.findall(r"`(\w+)(?:\[\])?`", REFERENCE.read_text(encoding="utf-8")))
    assert {*keys(plan_json(FULL)), *keys(problems_json((PROBLEM,)))} <= named
