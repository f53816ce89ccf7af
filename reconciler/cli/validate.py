"""`reconciler validate`: is this revision acceptable?"""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli.console import show_problems
from reconciler.cli.options import (
    output_option,
    reading_options,
    reading_settings,
    source_options,
    source_settings,
)
from reconciler.model.desired import Rejected, Unavailable
from reconciler.wiring.reading import folder_in_repository, read_once


@click.command()
@source_options
@reading_options
@output_option("text", "json", "github")
def validate(output: str, **given: Any) -> None:
    """Check every manifest under PATH; no host is contacted.

    Exit code 0: acceptable (warnings may be shown); 2: problems, each with its place and how to fix it.
    """
    source = source_settings(given)
    result = read_once(source, reading_settings(given))
    if isinstance(result, Unavailable):
        raise click.ClickException(f"{result.why}" + (f" ({result.fix})" if result.fix else ""))
    problems = result.problems if isinstance(result, Rejected) else result.warnings
    folder = folder_in_repository(source) if output == "github" else ""
    show_problems(problems, output, folder=folder, to_stderr=False)
    if isinstance(result, Rejected):
        click.get_current_context().exit(2)
    if output == "text":
        click.echo(f"{len(result.manifests)} objects, revision {result.revision}: valid")
