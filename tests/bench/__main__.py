"""`make bench`: every bar, measured on this machine, in one table. Exit code 1 where a bar is missed.

`python -m tests.bench manifests planning scale scheduling lab pods names services load day losing` runs some.
"""

import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table

from tests.bench import (
    day_on_the_lab,
    load_on_the_lab,
    losing_on_the_lab,
    names_on_the_lab,
    on_the_lab,
    on_this_machine,
    pods_on_the_lab,
    scale,
    scheduling,
    services_on_the_lab,
)
from tests.bench.bars import Measured

PARTS: dict[str, Callable[[], Iterator[Measured]]] = {
    "manifests": on_this_machine.manifests,
    "planning": on_this_machine.planning,
    "scale": scale.everything,
    "scheduling": scheduling.everything,
    "lab": on_the_lab.everything,
    "pods": pods_on_the_lab.everything,
    "names": names_on_the_lab.everything,
    "services": services_on_the_lab.everything,
    "load": load_on_the_lab.everything,
    "day": day_on_the_lab.everything,
    "losing": losing_on_the_lab.everything,
}


def main() -> int:
    progress = Console(stderr=True)
    table = Table("bar", "measured", "wanted", "", title="Bars", box=None, pad_edge=False)
    missed = 0
    for name in sys.argv[1:] or PARTS:
        progress.print(f"measuring {name} …")
        for measured in PARTS[name]():
            verdict = "met" if measured.met else "MISSED"
            missed += not measured.met
            progress.print(f"  {measured.what}: {measured.shown} ({verdict})")
            table.add_row(measured.what, measured.shown, measured.wanted, verdict)
    Console(width=160, highlight=False).print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
