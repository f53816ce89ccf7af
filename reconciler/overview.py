"""What `reconciler --help` and `reconciler --version` say, in click's layout, without click.

click takes three times as long to import as Python takes to start, and nothing of it is needed to say what there
is. The console script prints this text itself; where click is there anyway, the group of commands writes it.
"""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler import __version__

ABOUT = "Kubernetes' ideas on plain Docker hosts: manifests in Git, pods on hosts, HAProxy in front."
OPTIONS = {"--version": "Show the version and exit.", "-h, --help": "Show this message and exit."}
COMMANDS = {
    "run": "the control loop: follow a Git branch or a folder, and keep the hosts as it asks",
    "apply": "one run to convergence, then exit",
    "diff": "what apply would do: object by object, pod by pod; changes nothing",
    "validate": "check manifests; needs no host",
    "get": "how everything stands: pods, deployments, services, ingresses, nodes, claims, and more",
    "describe": "everything known of a pod, deployment, service, ingress, node or claim, with its events",
    "events": "what happened, the latest last",
    "logs": "what a pod's containers have written",
    "exec": "run a command in a container",
    "cp": "copy files to and from a container",
    "port-forward": "reach a pod's ports from this machine",
    "top": "what pods and nodes use of CPU and memory",
    "image": "send an image of this machine to the hosts",
    "node": "list nodes; take everything of ours off a host",
    "lab": "a throw-away cluster of real Docker hosts on this machine",
}
"""Every command, which is a module of its own here, and what it is for."""

_USAGE = "Usage: reconciler [OPTIONS] COMMAND [ARGS]..."
_INDENT = "  "


def answer_to(words: Sequence[str]) -> str | None:
    """What is printed for a command line that asks for nothing but help or the version; None for any other."""
    match words:
        case ["--help" | "-h"]:
            columns = shutil.get_terminal_size().columns
            return "\n".join([_USAGE, *help_lines(max(min(columns, 80) - 2, 50))])
        case ["--version"]:
            return f"reconciler, version {__version__}"
    return None


def help_lines(width: int) -> Iterator[str]:
    """The help of the whole program below its usage, in lines of at most this many characters."""
    about = textwrap.wrap(ABOUT, width, initial_indent=_INDENT, subsequent_indent=_INDENT)
    yield from ("", *about, "", "Options:")
    yield from _definitions(OPTIONS, width)
    yield from ("", "Commands:")
    yield from _definitions(COMMANDS, width)


def _definitions(texts: Mapping[str, str], width: int) -> Iterable[str]:
    """Names in a column, and beside it what each means."""
    column = max(map(len, texts)) + len(_INDENT)
    for name, text in texts.items():
        first, *others = textwrap.wrap(text, width - column - len(_INDENT))
        yield f"{_INDENT}{name:{column}}{first}"
        yield from (f"{_INDENT}{'':{column}}{line}" for line in others)
