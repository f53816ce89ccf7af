"""What the prober is given, and what is made of what it tells."""

import io
import json
import tarfile
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest

from reconciler.model.observed import Probed
from reconciler.model.probes import (
    CheckHealth,
    GetUrl,
    OpenConnection,
    ProbedContainer,
    ProbeSpec,
    RunCommand,
    Wait,
)
from reconciler.nodes.errors import ConnectionLost
from reconciler.nodes.prober.container import container_request, probes_file, program
from reconciler.nodes.prober.session import ProberSession, Results
from reconciler.prober.specs import Handler, ProbeSettings, ProbeTarget, read_probes_file


def test_the_prober_reads_what_is_written_for_it() -> None:
    actions = (RunCommand(("a", "b c")), GetUrl("https", "10.0.0.1", 1, "/x", (("H", "v"),)))
    probes = (
        ProbeSpec("startup", actions[0], failures=30),
        ProbeSpec("liveness", actions[1], initial_delay=3, period=5, timeout=2, grace=7),
        ProbeSpec("readiness", CheckHealth("10.0.0.1", 9, "s"), successes=2),
    )
    containers = (
        ProbedContainer("one", probes, Wait(4)),
        ProbedContainer("two", (ProbeSpec("readiness", OpenConnection("10.0.0.2", 5)),), restarts=False),
    )
    digest, text = probes_file("shop", containers)
    wanted = read_probes_file(text)
    assert (wanted.cluster, wanted.digest) == ("shop", digest)
    assert wanted.targets["one"] == ProbeTarget(
        "one",
        (
            ProbeSettings("startup", Handler("exec", command=("a", "b c")), 0, 10, 1, 1, 30, 30),
            ProbeSettings(
                "liveness",
                Handler("http", scheme="https", host="10.0.0.1", port=1, path="/x", headers=(("H", "v"),)),
                *(3, 5, 2, 1, 3, 7),
            ),
            ProbeSettings("readiness", Handler("grpc", host="10.0.0.1", port=9, service="s"), 0, 10, 1, 2, 3, 30),
        ),
        Handler("sleep", seconds=4),
        True,
    )
    assert wanted.targets["two"].probes[0].action == Handler("tcp", host="10.0.0.2", port=5)
    assert not wanted.targets["two"].restarts
    assert probes_file("shop", containers[:1])[0] != digest


def test_the_program_is_whole_and_another_program_is_another_container() -> None:
    archive, digest = program()
    with tarfile.open(fileobj=io.BytesIO(b64decode(archive))) as tar:
        assert {"reconciler/prober/__main__.py", "reconciler/prober/schedule.py"} <= set(tar.getnames())
    request = container_request("shop", "image:1")
    assert request["Env"] == [f"PYTHONPATH=/etc/reconciler/program-{digest}"]
    assert request["HostConfig"]["LogConfig"]["Config"] == {"max-size": "1m", "max-file": "1"}
    assert (
        request["Labels"]["reconciler.dev/hash"]
        != container_request("shop", "image:2")["Labels"]["reconciler.dev/hash"]
    )


def line(id: str, run: str = "r", **fields: Any) -> bytes:
    said = {"id": id, "run": run, "started": True, "ready": True, "message": "", "killed": 0, "known": True}
    return json.dumps({**said, **fields}).encode()


BEGIN, END = b'{"begin": "d"}', b'{"end": "d"}'
READY = Probed(started=True, ready=True)


def test_changes_are_put_together() -> None:
    results = Results()
    assert results.take([line("a"), line("b", ready=False, message="no", killed=2)])
    assert results.now == {"a": ("r", READY), "b": ("r", Probed(True, False, "no", 2))}
    assert not results.take([line("a")])


def test_a_whole_telling_replaces_everything_but_only_once_it_is_whole() -> None:
    results = Results()
    results.take([line("a"), line("b")])
    assert not results.take([BEGIN, line("b", ready=False)])
    assert results.digest == ""
    assert results.take([END])
    assert (results.now, results.digest) == ({"b": ("r", Probed(True, False))}, "d")


def test_what_a_prober_that_has_just_begun_does_not_know_yet_stays_as_it_was() -> None:
    results = Results()
    results.take([line("a"), line("b")])
    unknown: dict[str, Any] = {"known": False, "ready": False}
    results.take([BEGIN, line("a", **unknown), line("b", run="r2", **unknown), line("c", **unknown), END])
    assert results.now == {"a": ("r", READY)}


def test_lines_that_make_no_sense_are_passed_over() -> None:
    results = Results()
    assert results.take([b"{", b"[]", b'{"id": 1}', b"", b'"x"', line("a")])
    assert list(results.now) == ["a"]


class Told:
    """Of a cache: what it was told last."""

    def __init__(self) -> None:
        self.now: Mapping[str, tuple[str, Probed]] = {}

    def record_probes(self, results: Mapping[str, tuple[str, Probed]]) -> None:
        self.now = dict(results)


class Log:
    """Docker's log of the prober: each chunk after what happens before it."""

    def __init__(self, *chunks: tuple[Callable[[], None], list[bytes]]) -> None:
        self._chunks = chunks

    def follow_log(self, _: str) -> Iterator[bytes]:
        for happens, lines in self._chunks:
            happens()
            text = b"".join(each + b"\n" for each in lines)
            yield b"\x01\0\0\0" + len(text).to_bytes(4, "big") + text
        raise ConnectionLost("the end of the test")


def test_what_is_heard_while_a_new_file_is_waited_for_is_told_with_the_next_telling() -> None:
    cache = Told()
    prober: ProberSession

    def a_file_is_written() -> None:
        prober._reported_all = False

    def nothing() -> None:
        assert prober

    log = Log((nothing, [BEGIN, END]), (a_file_is_written, [line("a")]), (nothing, [BEGIN, line("a"), END]))
    unused: Any = None
    prober = ProberSession("test", unused, cast(Any, log), unused, cast(Any, cache), nothing)
    with pytest.raises(ConnectionLost):
        prober._read("id")
    assert cache.now == {"a": ("r", READY)}
