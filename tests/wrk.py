"""wrk, Debian's load generator, run for as long as something else takes; and what it counted."""

import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

LONGEST_SECONDS = 120
_KINDS = ("connect", "read", "write", "timeout", "status")
_REPORT = f"""\
done = function(summary, latency, requests)
  io.write("\\nREPORT ", summary.requests, " ", latency:percentile(50))
  for _, kind in ipairs({{"{'", "'.join(_KINDS)}"}}) do io.write(" ", summary.errors[kind]) end
  io.write("\\n")
end
"""


@dataclass(frozen=True)
class Count:
    requests: int = 0
    """Answered, whatever with."""
    failed: int = 0
    """Not answered, answered late (2 s), or with another status than 2xx and 3xx."""
    why: str = ""
    p50_ms: float = 0.0
    """Of the last run that was added."""

    def __add__(self, other: "Count") -> "Count":
        why = ", ".join(filter(None, (self.why, other.why)))
        return Count(self.requests + other.requests, self.failed + other.failed, why, other.p50_ms)


class Wrk:
    """Load while it is entered: `connections` ask as fast as they are answered, each over and over on one
    connection (`kept`), or on a new one for each request. `enter`: what runs a program in a host."""

    def __init__(
        self, url: str, folder: Path, *, kept: bool, connections: int = 16, enter: Sequence[str] = ()
    ) -> None:
        script = folder / "report.lua"
        script.write_text(_REPORT)
        fresh = () if kept else ("-H", "Connection: close")
        how = ("-t1", f"-c{connections}", f"-d{LONGEST_SECONDS}s", "--timeout", "2s", "-s", str(script), *fresh)
        self._argv = [*enter, "wrk", *how, url]
        self.count = Count()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        out, err = self._process.communicate(timeout=10)
        found = [line.removeprefix("REPORT ") for line in out.splitlines() if line.startswith("REPORT ")]
        assert found, f"wrk says: {out}{err}"
        requests, median, *errors = map(float, found[0].split())
        failed = {kind: int(number) for kind, number in zip(_KINDS, errors, strict=True) if number}
        # wrk counts an answer with a bad status as a request too, and no other failure.
        answered = int(requests) - failed.get("status", 0)
        why = ", ".join(f"{number} {kind}" for kind, number in failed.items())
        self.count = Count(answered, sum(failed.values()), why, median / 1000)
