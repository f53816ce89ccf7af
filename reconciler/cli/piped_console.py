"""rich's console, for a program whose exit codes say something."""

from rich.console import Console


class PipedConsole(Console):
    """Where rich would exit with 1, a reader that went away is for `main` to answer: 1 is a command's own "no"."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
