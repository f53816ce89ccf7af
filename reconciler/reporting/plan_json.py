"""A plan for programs: the schema is docs/reference/report.md, and only ever gains fields within a version."""

from typing import Any

from reconciler.model.desired import Revision
from reconciler.model.names import Ref
from reconciler.model.plan import FieldChange, ObjectChange, PodChange
from reconciler.model.problems import Place
from reconciler.reporting.plan_report import PlanReport, counts, summary
from reconciler.reporting.problems import problem_json


def plan_json(report: PlanReport) -> dict[str, Any]:
    """Plain values, in the order of the text report."""
    pods, base = counts(report), report.rejected_base
    return {
        "apiVersion": "reconciler.dev/v1",
        "kind": "PlanReport",
        "revision": _revision(report.revision),
        "summary": {
            "text": summary(report),
            "changes": report.has_changes,
            "create": pods.create,
            "change": pods.change,
            "delete": pods.delete,
            "touchedNodes": pods.nodes,
            "nodes": report.nodes,
        },
        "objectsCompared": report.objects_compared,
        "rejectedBase": {"revision": _revision(base.revision), "errors": base.errors} if base else None,
        "objects": [_object(change) for change in report.objects],
        "pods": [_pod(change) for change in report.pods],
        "unplaced": [
            {
                "owner": _ref(unplaced.owner),
                "count": unplaced.count,
                "reasons": dict(sorted(unplaced.reasons.items())),
            }
            for unplaced in report.unplaced
        ],
        "unreachable": [
            {"node": node.name, "why": node.why, "forSeconds": node.for_seconds} for node in report.unreachable
        ],
        "orphans": list(report.orphans),
        "hold": {"reason": report.hold.reason, "fix": report.hold.fix} if report.hold else None,
        "warnings": [problem_json(problem) for problem in report.warnings],
        "unserved": list(report.unserved),
    }


def _revision(revision: Revision) -> dict[str, str]:
    return {"id": revision.id, "origin": revision.origin, "title": revision.title}


def _object(change: ObjectChange) -> dict[str, Any]:
    return {
        "sign": change.sign,
        **_ref(change.ref),
        "place": _place(change.place),
        "fields": [_field(field) for field in change.fields],
    }


def _field(field: FieldChange) -> dict[str, Any]:
    return {
        "path": field.path,
        "before": None if field.secret else field.before,
        "after": None if field.secret else field.after,
        "secret": field.secret,
    }


def _pod(change: PodChange) -> dict[str, Any]:
    return {
        "action": change.action.value,
        "namespace": change.pod.namespace,
        "name": change.pod.name,
        "uid": change.uid,
        "node": change.node,
        "fromNode": change.from_node,
        "reason": change.reason,
        "chosen": change.chosen,
        "owner": _ref(change.owner) if change.owner else None,
        "place": _place(change.place),
    }


def _ref(ref: Ref) -> dict[str, str]:
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _place(place: Place | None) -> dict[str, Any] | None:
    return {"path": place.path, "line": place.line, "column": place.column} if place else None
