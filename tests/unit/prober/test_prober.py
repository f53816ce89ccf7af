"""The program itself, before a Docker on this machine that answers as a test says."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import reconciler

STARTED = "2020-01-01T00:00:00.1Z"
DEADLINE = 60
Json = dict[str, Any]


class Engine:
    """Every container runs. `hung`: inspects of these are not answered; `broken`: with an error, so many times."""

    def __init__(self) -> None:
        self.hung: set[str] = set()
        self.broken: dict[str, int] = {}
        self.looks: dict[str, int] = {}
        self.followers: list[asyncio.StreamWriter] = []
        self._calls: set[asyncio.Task[None]] = set()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._calls.add(asyncio.ensure_future(self._answer(reader, writer)))

    async def ended(self) -> None:
        await asyncio.gather(*self._calls)

    async def looked(self, name: str, times: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while self.looks[name] < times:
                await asyncio.sleep(0.01)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._say(reader, writer)

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = unquote((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
        if path.startswith("/events"):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self.followers.append(writer)
            await reader.read()
            return
        name = path.split("/")[2]
        self.looks[name] = self.looks.get(name, 0) + 1
        if name in self.hung:
            await reader.read()
        elif self.broken.get(name, 0):
            self.broken[name] -= 1
            writer.write(reply({"message": "shim is dead"}, 500))
        else:
            state = {"Running": True, "Paused": False, "StartedAt": STARTED}
            labels = {"reconciler.dev/cluster": "shop"}
            writer.write(reply({"Id": f"id-of-{name}", "Config": {"Labels": labels}, "State": state}))

    def tell_of(self, name: str) -> None:
        event = json.dumps({"Actor": {"Attributes": {"name": name}}}).encode()
        for follower in self.followers:
            follower.write(event + b"\n")


class Program:
    def __init__(self, process: asyncio.subprocess.Process, engine: Engine) -> None:
        self._process = process
        self.engine = engine

    def reload(self) -> None:
        self._process.send_signal(signal.SIGHUP)

    async def line(self, **fields: Any) -> Json:
        """The next one that has these."""
        assert self._process.stdout is not None
        while said := await asyncio.wait_for(self._process.stdout.readline(), DEADLINE):
            line: Json = json.loads(said)
            if fields.items() <= line.items():
                return line
        raise AssertionError("the prober has ended")

    async def telling(self) -> set[str]:
        """The names of all containers in the next whole telling."""
        await self.line(begin="d")
        names = set()
        while "end" not in (line := await self.line()):
            names.add(line["id"].removeprefix("id-of-"))
        return names


def reply(document: Json, status: int = 200) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@contextlib.asynccontextmanager
async def probing(directory: Path, engine: Engine, *names: str) -> AsyncIterator[Program]:
    """These containers, each with a readiness probe that passes."""
    probe = {"kind": "readiness", "action": {"type": "sleep"}, "initial_delay": 0, "period": 1}
    probe |= {"timeout": 1, "successes": 1, "failures": 1, "grace": 1}
    containers = [{"name": name, "probes": [probe], "restarts": True} for name in names]
    file = directory / "probes.json"
    file.write_text(json.dumps({"version": 1, "cluster": "shop", "digest": "d", "containers": containers}))
    server = await asyncio.start_unix_server(engine.take, directory / "s")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reconciler.prober", str(file), str(directory / "s")),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(reconciler.__file__).parents[1])},
    )
    try:
        yield Program(process, engine)
    finally:
        process.kill()
        await process.communicate()
        server.close()
        await engine.ended()


def test_a_container_that_docker_cannot_answer_about_hinders_no_other(tmp_path: Path) -> None:
    async def work() -> None:
        engine = Engine()
        engine.hung, engine.broken = {"hung"}, {"broken": 1_000_000}
        async with probing(tmp_path, engine, "hung", "broken", "well") as program:
            assert await program.telling() == {"well"}
            assert (await program.line(id="id-of-well"))["ready"]
            program.reload()
            assert await program.telling() == {"well"}
            engine.hung, engine.broken = set(), {}
            # Nobody tells of them: they are looked at until Docker answers.
            ready = {(await program.line(known=True, ready=True))["id"] for _ in range(2)}
            assert ready == {"id-of-hung", "id-of-broken"}
            assert len(engine.followers) == 1

    asyncio.run(work())


def test_a_look_that_fails_after_an_event_is_made_again(tmp_path: Path) -> None:
    async def work() -> None:
        engine = Engine()
        async with probing(tmp_path, engine, "app") as program:
            assert await program.telling() == {"app"}
            engine.broken, looks = {"app": 3}, engine.looks["app"]
            engine.tell_of("app")
            await engine.looked("app", looks + 4)

    asyncio.run(work())


def test_a_container_that_is_no_longer_wanted_is_no_longer_looked_at(tmp_path: Path) -> None:
    async def work() -> None:
        engine = Engine()
        engine.broken = {"app": 1_000_000, "other": 1_000_000}
        async with probing(tmp_path, engine, "app", "other") as program:
            assert await program.telling() == set()
            file = tmp_path / "probes.json"
            wanted = json.loads(file.read_text())
            file.write_text(json.dumps(wanted | {"containers": wanted["containers"][1:]}))
            program.reload()
            assert await program.telling() == set()
            looks = engine.looks["app"]
            # Its pauses are longer than the other's, which began later, but not by two looks.
            await engine.looked("other", engine.looks["other"] + 2)
            assert engine.looks["app"] == looks

    asyncio.run(work())
