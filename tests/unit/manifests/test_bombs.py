"""Files that are made to exhaust whoever reads them: a process of its own reads them, and is measured."""

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from textwrap import dedent
from threading import Thread
from typing import Any

import pytest

from reconciler.manifests.reading.file_reader import LARGEST_FILE
from tests.good_revision import GOOD
from tests.unit.manifests.test_rejecting_files import TEXT_BOMB, alias_bomb

READ = """\
import json, re, sys, time
from pathlib import Path
from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.desired import SourceSnapshot
from reconciler.sources.folder import FolderSource
spent, codes = {}, {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    began = time.process_time()
    found = FolderSource(folder).read()
    result = Loader(ADMITTED).load(found) if isinstance(found, SourceSnapshot) else found
    spent[folder.name] = time.process_time() - began
    codes[folder.name] = sorted({problem.code for problem in getattr(result, 'problems', ())})
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps({"codes": codes, "spent": spent, "peak": peak / 1024}))
"""
NESTED = {
    "lists": "- " * 10_000 + "a\n",
    "brackets": "[" * (LARGEST_FILE - 1),
    "maps": "{a: " * (LARGEST_FILE // 4),
    "indented": "".join(" " * depth + "a:\n" for depth in range(1400)),
}
LARGE = {
    "values": "[" + "a," * (LARGEST_FILE // 2 - 2) + "]",
    "documents": "---\n" * (LARGEST_FILE // 4),
    "keys": "".join(f"k{number}: 1\n" for number in range(LARGEST_FILE // 14)),
    "escapes": '"' + "\\u0041" * (LARGEST_FILE // 6 - 2) + '"',
}
CONFIG, WEB = dedent(GOOD["config.yaml"]), dedent(GOOD["web.yaml"])
REPEATED = (
    "a",
    "1",
    "1_",
    "1:",
    "0",
    ".",
    "-",
    "a-",
    "a.",
    "1.",
    "a/",
    "$(a",
    "a=True,",
    "a,",
    "1e",
    "+",
    "/",
    "::",
)
"""What regular expressions that can be read in two ways are slow on."""
PLACES = ("name: web", "image: web:1", "name: http", "cpu: 100m", "name: TOKEN", "replicas: 2", "app: web")


def read(folders: Path) -> Any:
    """Codes of problems and seconds by folder, and the most memory of the process in MiB."""
    command = [sys.executable, "-c", READ, str(folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250, cwd=Path.cwd())
    return json.loads(done.stdout)


def put(folders: Path, name: str, text: str | bytes, file: str = "bomb.yaml") -> None:
    """A folder with everything that is right, and this."""
    folder = folders / name
    folder.mkdir(parents=True)
    for path, good in GOOD.items():
        (folder / path).write_text(dedent(good))
    (folder / file).write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.mark.fault(12, 13)
@pytest.mark.rule(8)
def test_a_bomb_ends_in_little_memory_and_time(tmp_path: Path) -> None:
    expected = {
        "aliases": "alias-bomb",
        "texts": "alias-bomb",
        "huge": "file-too-large",
        "escapes": "not-an-object",
    }
    expected |= dict.fromkeys(NESTED, "nesting-too-deep")
    bombs = {"aliases": alias_bomb(), "texts": TEXT_BOMB, **NESTED, **LARGE}
    for name, text in bombs.items():
        put(tmp_path, name, text)
    put(tmp_path, "huge", b"a" * 100_000_000)
    done = read(tmp_path)
    assert done["codes"] == {name: [expected.get(name, "too-many-values")] for name in (*bombs, "huge")}
    assert 30 < done["peak"] < 256, "MiB; the program itself needs some"
    assert max(done["spent"].values()) < 2, done["spent"]


@pytest.mark.fault(18)
@pytest.mark.rule(8)
def test_no_text_is_slow_to_read_wherever_it_stands(tmp_path: Path) -> None:
    for number, part in enumerate(REPEATED):
        long = part * (300_000 // len(part)) + "!"
        web = WEB
        for place in PLACES:
            web = web.replace(place, f"{place.partition(':')[0]}: {long}")
        put(tmp_path, f"{number}-web", web, "web.yaml")
        put(tmp_path, f"{number}-config", CONFIG.replace("production", long), "config.yaml")
        annotated = f"metadata:\n  annotations: {{reconciler.dev/conditions: {json.dumps(long)}}}\n"
        put(tmp_path, f"{number}-annotation", WEB.replace("metadata:\n", annotated, 1), "web.yaml")
    done = read(tmp_path)
    assert all(codes for name, codes in done["codes"].items() if name.endswith("web"))
    assert max(done["spent"].values()) < 2, done["spent"]


@pytest.mark.fault(14)
def test_a_tag_makes_nothing_happen(tmp_path: Path) -> None:
    for number, call in enumerate(
        (
            "!!python/object/apply:os.system ['touch {}']",
            "!!python/object/apply:subprocess.check_output [[touch, '{}']]",
            "!!python/object/new:os.system ['touch {}']",
            "!!python/name:os.system",
            "!!python/module:antigravity",
        )
    ):
        canary = tmp_path / "canary"
        put(tmp_path / "folders", str(number), CONFIG.replace("production", call.format(canary)), "config.yaml")
    done = read(tmp_path / "folders")
    assert set(map(tuple, done["codes"].values())) == {("tag",)}
    assert not canary.exists()


@pytest.mark.fault(18)
@pytest.mark.rule(12)
def test_no_reference_is_followed_out_of_the_manifests(tmp_path: Path) -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/schema.json"
        head = f"# yaml-language-server: $schema={url}\n$schema: {url}\n$ref: {url}\n$id: {url}\n"
        put(tmp_path, "top", head + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
        for kind in ("v1\nkind: ConfigMap", f"{url}\nkind: Pod", "v1\nkind: Service"):
            there = f"{{$ref: '{url}'}}"
            text = f"apiVersion: {kind}\nmetadata: {there}\nspec: {there}\ndata: {there}\n"
            put(tmp_path, kind.rpartition(" ")[2], text)
        done = read(tmp_path)
        server.shutdown()
        thread.join(5)
    assert "unknown-field" in done["codes"]["top"]
    assert all(done["codes"].values())
    assert asked == []
