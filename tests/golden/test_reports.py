"""The reports people and CI jobs read, for what commonly happens."""

import json
from collections.abc import Callable, Sequence

import pytest

from reconciler.model.desired import Revision
from reconciler.model.names import Ref
from reconciler.model.plan import Action, FieldChange, Hold, ObjectChange, PodChange, Unschedulable
from reconciler.model.problems import Place, Problem, Severity
from reconciler.reporting import (
    Line,
    PlanReport,
    RejectedBase,
    UnreachableNode,
    plan_json,
    plan_markdown,
    plan_text,
    problems_github,
    problems_json,
    problems_text,
)

Golden = Callable[[str, str], None]

REVISION = Revision("8c1f2d3e4b5a69788796a5b4c3d2e1f00f1e2d3c", "/srv/shop (main)", "Ship web 1.1")
WEB = Ref("Deployment", "shop", "web")
API = Ref("Deployment", "shop", "api")
WEB_PLACE = Place("manifests/web.yaml", 12, 1)
API_PLACE = Place("manifests/api.yaml", 1, 1)


def pod(name: str) -> Ref:
    return Ref("Pod", "shop", name)


CREATED = PlanReport(
    revision=REVISION,
    nodes=3,
    objects=(
        ObjectChange("+", API, place=API_PLACE),
        ObjectChange("+", WEB, place=WEB_PLACE),
        ObjectChange("+", Ref("Namespace", "", "shop"), place=Place("manifests/namespace.yaml", 1, 1)),
        ObjectChange("+", Ref("Service", "shop", "web"), place=Place("manifests/web.yaml", 40, 1)),
    ),
    changes=(
        PodChange(Action.CREATE, pod("api-5b8d9-0"), "a0", "node-1", "replica 1 of 1", API, place=API_PLACE),
        PodChange(Action.CREATE, pod("web-7c4f1-0"), "w0", "node-2", "replica 1 of 2", WEB, place=WEB_PLACE),
        PodChange(Action.CREATE, pod("web-7c4f1-1"), "w1", "node-3", "replica 2 of 2", WEB, place=WEB_PLACE),
    ),
)

CHANGED = PlanReport(
    revision=REVISION,
    nodes=3,
    objects=(
        ObjectChange(
            "-/+",
            WEB,
            (
                FieldChange("spec.replicas", 2, 4),
                FieldChange("spec.template.spec.containers[0].image", "lab/web:1.0", "lab/web:1.1"),
                FieldChange("spec.template.spec.containers[0].env[2]", None, {"name": "LEVEL", "value": "debug"}),
                FieldChange("metadata.labels.tier", "front", None),
            ),
            WEB_PLACE,
        ),
        ObjectChange(
            "~",
            Ref("ConfigMap", "shop", "texts"),
            (
                FieldChange("data.motd", "Welcome to the shop.\n" * 9, "Welcome to the shop.\n" * 8 + "Sale!\n"),
                FieldChange('data["shop.conf"]', None, "[server]\nport = 8080\n\tindented\n"),
                FieldChange("data.level", "info", "debug"),
            ),
            Place("manifests/config.yaml", 3, 1),
        ),
        ObjectChange(
            "~",
            Ref("Secret", "shop", "database"),
            (FieldChange("data.PASSWORD", "before-canary", "after-canary", secret=True),),
            Place("manifests/secret.yaml", 1, 1),
        ),
        ObjectChange("-", Ref("Service", "shop", "old")),
    ),
    changes=(
        PodChange(
            Action.CREATE,
            pod("web-9d2e4-2"),
            "w4",
            "node-1",
            "replica 3 of 4",
            WEB,
            place=WEB_PLACE,
            chosen="2 of 3 nodes fit, it has the most room",
        ),
        PodChange(Action.RESTART, pod("web-9d2e4-0"), "w2", "node-2", "container web exited with code 1", WEB),
        PodChange(
            Action.DELETE, pod("web-9d2e4-0"), "w2", "node-2", "its template gives way", WEB, place=WEB_PLACE
        ),
        PodChange(Action.DELETE, pod("old-0"), "o0", "node-3", "its manifest is gone"),
        PodChange(Action.RESTART, pod("api-5b8d9-0"), "a0", "node-1", "Secret shop/database changed", API),
        PodChange(
            Action.MOVE,
            pod("web-9d2e4-1"),
            "w3",
            "node-3",
            "node-2 is cordoned",
            WEB,
            from_node="node-2",
            place=WEB_PLACE,
        ),
    ),
    warnings=(
        Problem(
            Place("manifests/web.yaml", 30, 9),
            "no-effect",
            "`hostIPC: false` changes nothing here",
            "leave it out",
            "/spec/template/spec/hostIPC",
            Severity.WARNING,
        ),
    ),
)

HELD = PlanReport(
    revision=REVISION,
    nodes=3,
    objects=(ObjectChange("-", API), ObjectChange("-", WEB)),
    changes=(PodChange(Action.DELETE, pod("web-7c4f1-0"), "w0", "node-2", "its manifest is gone", WEB),),
    hold=Hold(
        "it deletes 2 of 2 running workloads, more than the 50% that the Cluster's guard allows",
        "confirm with --confirm 8c1f2d3e, or put the manifests back",
    ),
)

UNPLACED = PlanReport(
    revision=REVISION,
    nodes=2,
    objects=(ObjectChange("~", WEB, (FieldChange("spec.replicas", 2, 4),), WEB_PLACE),),
    changes=(
        PodChange(Action.CREATE, pod("web-7c4f1-2"), "w2", "node-1", "replica 3 of 4", WEB, place=WEB_PLACE),
    ),
    unplaced=(
        Unschedulable(
            WEB, 1, {"node-2": "unschedulable (cordoned)", "node-1": "cpu: 500m wanted, 200m of 2000m left"}
        ),
    ),
    orphans=("node-1: shop-web-lost (uid 3f2a)",),
)

UNREACHABLE = PlanReport(
    revision=REVISION,
    nodes=3,
    changes=(
        PodChange(Action.CREATE, pod("web-7c4f1-2"), "w2", "node-1", "replica 3 of 3", WEB, place=WEB_PLACE),
    ),
    unreachable=(UnreachableNode("node-2", "connection refused by 192.0.2.12:22; is sshd running?", 402),),
    unserved=("Service shop/web is not served: 10.96.0.1:80 belongs to Service shop/api; choose another port",),
)

REPAIRED = PlanReport(
    revision=REVISION,
    nodes=3,
    objects_compared=False,
    rejected_base=RejectedBase(
        Revision("1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b", "/srv/shop", "Ship web 1.0"), 2
    ),
    changes=(
        PodChange(Action.CREATE, pod("web-7c4f1-0"), "w0", "node-2", "replica 1 of 2", WEB, place=WEB_PLACE),
    ),
)

UNCHANGED = PlanReport(revision=REVISION, nodes=3)

REPORTS = {
    "created": CREATED,
    "changed": CHANGED,
    "held": HELD,
    "unplaced": UNPLACED,
    "unreachable": UNREACHABLE,
    "repaired": REPAIRED,
    "unchanged": UNCHANGED,
}

PROBLEMS = (
    Problem(
        Place("manifests/web.yaml", 14, 3),
        "unknown-field",
        "unknown field `replcas`",
        "did you mean `replicas`?",
        "/spec/replcas",
    ),
    Problem(
        Place("manifests/api.yaml", 7, 13),
        "wrong-type",
        "100% of what, at: \x1b[31mred\x1b[0m,\nis no quantity",
        "write a number, like 500m",
        "/spec/template/spec/containers/0/resources/requests/cpu",
    ),
    Problem(
        Place("manifests/logo.yaml"), "binary-file", "not text: it holds NUL bytes", "move it out of the folder"
    ),
    Problem(
        Place("manifests/web.yaml", 30, 9),
        "no-effect",
        "`hostIPC` changes nothing here",
        severity=Severity.WARNING,
    ),
)


def text_of(lines: Sequence[Line]) -> str:
    return "".join(f"{line.style:8} | {line.text}".rstrip() + "\n" for line in lines)


def json_of(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", REPORTS)
def test_the_plan_in_every_form(name: str, golden: Golden) -> None:
    report = REPORTS[name]
    golden(f"reports/{name}.txt", text_of(plan_text(report)))
    golden(f"reports/{name}.json", json_of(plan_json(report)))
    golden(f"reports/{name}.md", plan_markdown(report))


def test_a_rejected_revision_in_every_form(golden: Golden) -> None:
    golden("reports/rejected.txt", text_of(problems_text(PROBLEMS)))
    golden("reports/rejected.json", json_of(problems_json(PROBLEMS)))
    golden("reports/rejected.github", problems_github(PROBLEMS, folder="deploy"))


def test_a_secrets_value_is_in_no_form() -> None:
    shown = text_of(plan_text(CHANGED)) + json_of(plan_json(CHANGED)) + plan_markdown(CHANGED)
    assert "PASSWORD" in shown
    assert "canary" not in shown
