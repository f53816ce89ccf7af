"""`python -m reconciler` and the console script."""

import sys

from reconciler.overview import answer_to


def main() -> None:
    """The console script; help is printed before click is imported, which takes longer than all else of it."""
    if (answer := answer_to(sys.argv[1:])) is not None:
        try:
            print(answer, flush=True)
        except OSError:
            pass  # the commands print it again, and say what is wrong with the output
        else:
            return
    run()


def run() -> None:
    """Any command line."""
    from reconciler.cli import main as run_command  # help needs none of it

    run_command()


if __name__ == "__main__":
    run()
