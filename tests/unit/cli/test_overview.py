"""`reconciler --help` looks as click would write it, and imports no click."""

import json
import subprocess
import sys

import click
import pytest

from reconciler import __version__
from reconciler.cli import cli
from reconciler.overview import ABOUT, COMMANDS, OPTIONS, answer_to

PROGRAM = """\
import json, sys
from reconciler.__main__ import main
main()
print(json.dumps(sorted(sys.modules)))
"""


def as_click_writes_it(width: int) -> str:
    formatter = click.HelpFormatter(width=width)
    formatter.write_usage("reconciler", "[OPTIONS] COMMAND [ARGS]...")
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(ABOUT)
    for heading, texts in (("Options", OPTIONS), ("Commands", COMMANDS)):
        with formatter.section(heading):
            formatter.write_dl(list(texts.items()))
    return formatter.getvalue()


@pytest.mark.parametrize("columns", [30, 52, 61, 70, 80, 200])
def test_it_is_laid_out_as_clicks_own(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    expected = as_click_writes_it(max(min(columns, 80) - 2, 50)).rstrip("\n")
    assert answer_to(["--help"]) == answer_to(["-h"]) == expected
    assert cli.make_context("reconciler", ["get"]).get_help() == expected


def test_it_names_the_options_and_commands_that_there_are() -> None:
    context = cli.make_context("reconciler", ["get"])
    assert dict(filter(None, (each.get_help_record(context) for each in cli.get_params(context)))) == OPTIONS
    assert [name for name in COMMANDS if cli.get_command(context, name) is None] == []


@pytest.mark.parametrize("words", [[], ["get", "--help"], ["--help", "get"], ["--versio"], ["validate"]])
def test_any_other_command_line_is_clicks(words: list[str]) -> None:
    assert answer_to(words) is None


@pytest.mark.parametrize("word", ["--help", "-h", "--version"])
def test_help_and_version_import_no_click(word: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True)
    said, _, modules = done.stdout.strip().rpartition("\n")
    assert said.startswith(f"reconciler, version {__version__}" if word == "--version" else "Usage: reconciler ")
    assert {"click", "typing", "inspect"}.isdisjoint(json.loads(modules))
