"""What README.md and docs/ say is so: links lead somewhere, shown commands exist, the example is accepted."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from reconciler.cli import cli
from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.desired import Desired, SourceSnapshot
from reconciler.sources.folder import FolderSource

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "example-repo/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = [*PAGES, ROOT / "docs/tutorial/demo.sh", ROOT / "example-repo/.github/workflows/reconciler.yaml"]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
COMMANDS = "|".join(cli.list_commands(click.Context(cli)))
CALL = re.compile(rf"(?:^|[\s`(/\"])\$?reconciler\"? ((?:{COMMANDS})\b ?[^`\n|>#]*)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not dead


def test_the_index_has_every_page() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text())}
    own = {page for page in PAGES if (ROOT / "docs") in page.parents and page.parent.name != "decisions"}
    assert own - {index} <= linked


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_has_such_options(page: Path) -> None:
    unknown = [problem for call in CALL.findall(page.read_text()) for problem in unknown_words(call)]
    assert not unknown


def test_every_option_is_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/commands.md").read_text()
    options = {
        option
        for command in leaves(cli)
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    }
    short = {"--namespace": "-n", "--all-namespaces": "-A", "--output": "-o"}
    assert [option for option in sorted(options) if f"`{short.get(option, option)}" not in reference] == []


def test_the_changelog_has_every_command() -> None:
    told = re.search(r"^- Commands: (.*)\.$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert told is not None
    assert re.findall(r"`([\w-]+)`", told[1]) == cli.list_commands(click.Context(cli))


def test_the_example_is_accepted_without_a_warning() -> None:
    source = FolderSource(ROOT / "example-repo")
    try:
        read = source.read()
    finally:
        source.close()
    assert isinstance(read, SourceSnapshot)
    loaded = Loader(ADMITTED).load(read)
    assert isinstance(loaded, Desired)
    assert loaded.warnings == ()


def test_the_edits_of_the_demo_and_the_tutorial_change_the_example() -> None:
    web = (ROOT / "example-repo/shop/web.yaml").read_text()
    edits = re.findall(
        r"sed -i '?s/([^/]+)/[^/]+/'? \S*shop/web\.yaml",
        (ROOT / "docs/tutorial/demo.sh").read_text() + (ROOT / "docs/tutorial/first-cluster.md").read_text(),
    )
    assert len(edits) == 4
    assert all(edit in web for edit in edits)


def test_the_workflow_of_the_example_takes_changes_for_success() -> None:
    workflow = yaml.safe_load((ROOT / "example-repo/.github/workflows/reconciler.yaml").read_text())
    checkout, *_, diff = workflow["jobs"]["plan"]["steps"]
    assert checkout["with"]["fetch-depth"] == 0  # or else --base finds no commit
    assert '--base "origin/$GITHUB_BASE_REF"' in diff["run"]
    assert 'test "$code" -le 1' in diff["run"]


def leaves(group: click.Group) -> Iterator[click.Command]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command)
        else:
            yield command


def unknown_words(call: str) -> Iterator[str]:
    """Subcommands and options that the command line does not have; a call may be cut off, as prose does."""
    command: click.Command = cli
    words = shlex.split(call.replace("'", ""), comments=True)
    while words and isinstance(command, click.Group):
        word = words.pop(0)
        found = command.get_command(click.Context(command), word)
        if found is None:
            if word.isalpha():
                yield f"{call!r}: no command {word!r}"
            return
        command = found
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    for word in words:
        if word in ("--", "&&", "("):
            return
        together = [f"-{letter}" for letter in word[1:]] if re.fullmatch("-[a-zA-Z]{2,}", word) else [word]
        for option in together:
            if option.startswith("-") and option.split("=")[0] not in known:
                yield f"{call!r}: no option {option!r}"
