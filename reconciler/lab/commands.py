"""Run a program to its end under a deadline; a failure becomes a LabError that quotes the program.

Everything the lab does to the machine goes through here, as argument lists: no shell ever sees a value.
"""

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Sequence

from reconciler.lab.errors import LabError

HOST_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
"""What programs inside a lab host see: nothing of the caller's environment (tokens, proxies) leaks in."""


def run(
    argv: Sequence[str],
    *,
    timeout: float = 30.0,
    stdin: str | None = None,
    check: bool = True,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `argv`; after `timeout` seconds kill its whole process group.

    Raises LabError if the program is missing, late, or (with `check`) exits other than 0.
    """
    shown = shlex.join(argv)
    if len(shown) > 200:
        shown = f"{shown[:200]}…"
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=env,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise LabError(
            f"{argv[0]} is not installed; `reconciler lab up --yes` installs what is missing"
        ) from error
    with process:
        try:
            out, err = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"`{shown}` did not end within {timeout:g} s and was killed") from error
        finally:
            if process.returncode is None:
                _kill_group(process.pid)
    done = subprocess.CompletedProcess(list(argv), process.returncode, out, err)
    if check and done.returncode != 0:
        raise LabError(f"`{shown}` failed with exit code {done.returncode}: {_last_lines(err or out)}")
    return done


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _last_lines(text: str, count: int = 8) -> str:
    return "\n".join(text.strip().splitlines()[-count:]) or "(it said nothing)"
