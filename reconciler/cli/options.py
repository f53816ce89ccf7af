"""Options that several commands share, and how their words become settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
from msgspec.structs import replace

from reconciler.settings import Listen, Settings, SourceSettings, default_known_hosts, default_state_dir, git_token

if TYPE_CHECKING:  # Most commands plan nothing.
    from reconciler.planning import Options

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """`250ms`, `10s`, `5m`, `1h`; a plain number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", str(value))
        if match is None:
            self.fail(f"{value!r} is not a duration; write for example 250ms, 10s or 5m", param, ctx)
        return float(match[1]) * _UNITS[match[2] or "s"]


class ListenAt(click.ParamType[Listen]):
    """`9480` (of this machine alone), `192.0.2.7:9480`, `[2001:db8::7]:9480`."""

    name = "address:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Listen:
        if isinstance(value, Listen):
            return value
        match = re.fullmatch(r"(?:(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\]]+)):)?([0-9]{1,5})", str(value))
        if match is None or not 0 < int(match[3]) < 65536:
            self.fail(
                f"{value!r} is not where one can listen; write a port (9480: for this machine alone), "
                "or ADDRESS:PORT (0.0.0.0:9480: for everybody)",
                param,
                ctx,
            )
        return Listen(match[1] or match[2] or "127.0.0.1", int(match[3]))


def source_options(command: Command) -> Command:
    """PATH, or --git and what goes with it; `source_settings` makes one value of them."""
    for decorate in reversed(
        [
            click.argument("folder", metavar="[PATH]", required=False, type=click.Path(path_type=Path)),
            click.option(
                "--git", "git_url", metavar="URL", default="", help="Read a Git repository: a path or a URL."
            ),
            click.option("--branch", default="", help="Branch to follow; the remote's HEAD without it."),
            click.option("--tag", default="", help="Stay at this tag."),
            click.option("--commit", default="", help="Stay at this commit."),
            click.option("--path", "subpath", default="", help="Folder inside the repository."),
            click.option(
                "--git-key", type=click.Path(path_type=Path, exists=True), help="Private key for Git over ssh."
            ),
            click.option("--git-host-key", default="", help="The Git server's key; known_hosts without it."),
            click.option(
                "--poll", type=Duration(), default="10s", show_default=True, help="How often a remote is asked."
            ),
        ]
    ):
        command = decorate(command)
    return command


def source_settings(given: dict[str, Any]) -> SourceSettings:
    """Take the source's options out of a command's keyword arguments."""
    folder, git_url = given.pop("folder"), given.pop("git_url")
    pins = {name: given.pop(name) for name in ("branch", "tag", "commit")}
    subpath, poll = given.pop("subpath"), given.pop("poll")
    access = {"git_key": given.pop("git_key"), "git_host_key": given.pop("git_host_key"), "git_token": git_token()}
    if (folder is None) == (not git_url):
        raise click.UsageError("name one source: a folder (PATH), or a Git repository (--git URL)")
    if folder is not None and (subpath or any(pins.values())):
        raise click.UsageError("--branch, --tag, --commit and --path go with --git URL")
    if sum(map(bool, pins.values())) > 1:
        raise click.UsageError("give one of --branch, --tag and --commit")
    return SourceSettings(folder=folder, git_url=git_url, subpath=subpath, poll_seconds=poll, **pins, **access)


def namespace_option(command: Command) -> Command:
    return click.option(
        "-n", "--namespace", default="default", show_default=True, help="The namespace to look in."
    )(command)


def state_option(command: Command) -> Command:
    return click.option(
        "--state",
        "state_dir",
        type=click.Path(path_type=Path),
        envvar="RECONCILER_STATE",
        default=default_state_dir,
        show_default="~/.local/state/reconciler",
        help="Folder of what must be remembered. One per cluster.",
    )(command)


def _known_hosts(what_for: str) -> Callable[[Command], Command]:
    return click.option(
        "--known-hosts",
        type=click.Path(path_type=Path),
        envvar="RECONCILER_KNOWN_HOSTS",
        default=default_known_hosts,
        show_default="~/.ssh/known_hosts",
        help=what_for,
    )


def reading_options(command: Command) -> Command:
    """What reading a source needs beside its own options: where clones are kept, and whom to trust."""
    return state_option(_known_hosts("For a Git server whose key is not given with --git-host-key.")(command))


def reading_settings(given: dict[str, Any]) -> Settings:
    """Take the options of `reading_options` out of a command's keyword arguments."""
    return Settings(state_dir=given.pop("state_dir"), known_hosts=given.pop("known_hosts"))


def host_options(command: Command) -> Command:
    for decorate in reversed(
        [
            state_option,
            click.option(
                "--ssh-key",
                "ssh_keys",
                multiple=True,
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
                envvar="RECONCILER_SSH_KEY",
                help="Private key for the hosts; the agent's and ~/.ssh's without it.",
            ),
            _known_hosts("For hosts whose key is not pinned in their Node manifest."),
        ]
    ):
        command = decorate(command)
    return command


def host_settings(given: dict[str, Any]) -> Settings:
    """Take the options of `host_options` out of a command's keyword arguments."""
    return Settings(
        state_dir=given.pop("state_dir"),
        ssh_keys=tuple(given.pop("ssh_keys")),
        known_hosts=given.pop("known_hosts"),
    )


def output_option(*formats: str) -> Callable[[Command], Command]:
    """`-o`, with the first format as the default."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=formats[0], show_default=True, help="How to print."
    )


class RunOptions(NamedTuple):
    """What `run`, `apply` and `diff` are asked in common."""

    source: SourceSettings
    settings: Settings
    options: Options


def planning_options(command: Command) -> Command:
    """A source, how to reach the hosts, and what a person allows; `asked` makes values of them."""
    for decorate in reversed(
        [
            source_options,
            host_options,
            click.option(
                "--confirm",
                "confirmed",
                metavar="REVISION",
                default="",
                help="Let this revision delete what a guard held it for.",
            ),
            click.option(
                "--prune-orphans",
                is_flag=True,
                help="Remove containers with our label that no manifest and no memory explains.",
            ),
        ]
    ):
        command = decorate(command)
    return command


def take_over_option(command: Command) -> Command:
    return click.option(
        "--take-over",
        is_flag=True,
        help="Lead the cluster, whoever leads it now: that one can do nothing more on any host.",
    )(command)


def asked(given: dict[str, Any]) -> RunOptions:
    """Take the options of `planning_options`, and of `take_over_option`, out of a command's keyword arguments."""
    from reconciler.planning import Options

    return RunOptions(
        source_settings(given),
        replace(host_settings(given), take_over=given.pop("take_over", False)),
        Options(confirmed_revision=given.pop("confirmed"), prune_orphans=given.pop("prune_orphans")),
    )
