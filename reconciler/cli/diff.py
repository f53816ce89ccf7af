"""`reconciler diff`: the plan, unapplied."""

from __future__ import annotations

import json
import time
from typing import Any

import click
from msgspec.structs import replace

from reconciler.cli.console import show_lines, show_rejection
from reconciler.cli.logging import configure_logging
from reconciler.cli.options import RunOptions, asked, output_option, planning_options
from reconciler.model.clock import Clock
from reconciler.model.desired import Desired, Rejected, Unavailable
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed, Reachable, Unreachable
from reconciler.model.problems import Severity
from reconciler.planning import Forecast, emptied, forecast
from reconciler.reporting import (
    PlanReport,
    RejectedBase,
    UnreachableNode,
    inert,
    not_compared_words,
    plan_json,
    plan_markdown,
    plan_text,
)
from reconciler.services import ServiceLayer
from reconciler.settings import Settings
from reconciler.wiring.reading import in_force_at, kept_revision, read_once, remembered
from reconciler.wiring.rules import rules_with

_NOTHING = frozenset({"empty-revision", "path-missing"})
"""The problems of a revision that has no manifests."""


@click.command()
@planning_options
@click.option("--base", metavar="REV", default="", help="The commit or branch in force, to compare objects with.")
@click.option("--detailed-exitcode", is_flag=True, help="Terraform's: 0 nothing to do, 2 changes, 1 an error.")
@output_option("text", "json", "markdown")
@click.pass_context
def diff(ctx: click.Context, /, base: str, output: str, detailed_exitcode: bool, **given: Any) -> None:
    """Show what `apply` would do, object by object and pod by pod, with the reasons. Changes nothing, anywhere.

    Exit code 0: nothing to do, on any host; 1: changes; 2: an error, a revision that a guard holds, or no changes
    while a host cannot be seen. With --detailed-exitcode 2 and 1 change places.
    """
    changes, error = (2, 1) if detailed_exitcode else (1, 2)
    configure_logging()
    report = _report(asked(given), base, output)
    match output:
        case "json":
            click.echo(json.dumps(plan_json(report), indent=2))
        case "markdown":
            click.echo(plan_markdown(report), nl=False)
        case _:
            show_lines(plan_text(report))
    if len(report.unreachable) == report.nodes:
        click.echo("Error: no host answers, so what runs is unknown", err=True)
        ctx.exit(error)
    if report.hold is not None:
        ctx.exit(error)
    if report.unreachable and not (report.objects or report.changes):
        ctx.exit(error)
    ctx.exit(changes if report.has_changes else 0)


def _report(wanted: RunOptions, base: str, output: str) -> PlanReport:
    source, settings, options = wanted
    desired = _accepted(read_once(source, settings), output)
    memory, rejected = remembered(settings), None
    before = in_force_at(source, base, settings) if base else None
    if before is not None:
        memory, rejected = _based_on(before, memory)
    _accepted(_with_nothing_emptied(desired, before, settings), output)
    from reconciler.wiring.hosts import observe_once  # a rejected revision never meets a host

    observed = observe_once(desired, memory, settings)
    clock = Clock(time.monotonic(), time.time())
    compared = rejected is None and (bool(memory.revision) or _is_empty(observed))
    report = _fill(desired, observed, forecast(desired, observed, memory, clock, rules_with(options)), compared)
    return replace(report, rejected_base=rejected)


def _with_nothing_emptied(
    desired: Desired, before: Desired | Rejected | Unavailable | None, settings: Settings
) -> Desired | Rejected:
    if not desired.empty_files:
        return desired
    force = before if isinstance(before, Desired) else kept_revision(settings)
    problems = emptied(desired, force) if force is not None else ()
    return Rejected(desired.revision, problems) if problems else desired


def _based_on(base: Desired | Rejected | Unavailable, memory: Memory) -> tuple[Memory, RejectedBase | None]:
    """As if the base were in force. One without manifests is what the first revision is compared with; one with
    errors of its own cannot be compared with, and must not keep its repair from being planned."""
    match base:
        case Desired(revision=revision, manifests=manifests):
            return replace(memory, applied=manifests, revision=revision.id), None
        case Rejected(revision=revision, problems=problems) if all(one.code in _NOTHING for one in problems):
            return replace(memory, applied={}, revision=revision.id), None
        case Rejected(revision=revision, problems=problems):
            errors = sum(problem.severity is Severity.ERROR for problem in problems)
            rejected = RejectedBase(revision, errors)
            click.echo(f"warning: {inert(not_compared_words(rejected))}", err=True)
            return memory, rejected
        case Unavailable() as unavailable:
            raise _cannot_be_read(unavailable)


def _is_empty(observed: Observed) -> bool:
    """Every host answers, and no pod of this cluster is there: no revision is in force yet."""
    nodes = observed.nodes.values()
    return all(isinstance(node, Reachable) and not any(each.pod for each in node.containers) for node in nodes)


def _accepted(read: Desired | Rejected | Unavailable, output: str) -> Desired:
    match read:
        case Desired() as desired:
            return desired
        case Rejected(revision=revision, problems=problems):
            show_rejection(problems, output)
            raise click.ClickException(f"revision {revision} is rejected: there is nothing to plan")
        case Unavailable() as unavailable:
            raise _cannot_be_read(unavailable)


def _cannot_be_read(source: Unavailable) -> click.ClickException:
    return click.ClickException(f"{source.why} ({source.fix})" if source.fix else source.why)


def _fill(desired: Desired, observed: Observed, expected: Forecast, objects_compared: bool) -> PlanReport:
    return PlanReport(
        revision=desired.revision,
        nodes=len(desired.nodes),
        objects=expected.objects if objects_compared else (),
        objects_compared=objects_compared,
        changes=expected.changes,
        unplaced=expected.unplaced,
        unreachable=tuple(
            UnreachableNode(name, node.why)
            for name, node in sorted(observed.nodes.items())
            if isinstance(node, Unreachable)
        ),
        orphans=expected.orphans,
        hold=expected.hold,
        warnings=desired.warnings,
        unserved=_unserved(desired, expected),
    )


def _unserved(desired: Desired, expected: Forecast) -> tuple[str, ...]:
    layer = ServiceLayer()
    layer.setups(desired, expected.final.memory, expected.final.endpoints)
    return layer.problems
