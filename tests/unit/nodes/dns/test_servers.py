"""The keeper of a node's name servers, against a real directory and servers that read it as dnsmasq does."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from reconciler.model.names import LABEL_HASH, SYSTEM_DNS
from reconciler.model.observed import ObservedContainer
from reconciler.model.setups import NodeDns
from reconciler.nodes.dns import servers as dns_module
from reconciler.nodes.dns.container import container_request, name_servers
from reconciler.nodes.dns.query import ServerAnswers
from reconciler.nodes.dns.servers import Dns
from reconciler.nodes.docker.looks import HostContainer
from reconciler.nodes.docker.system_container import SystemContainer
from reconciler.nodes.docker.text_tar import packed
from reconciler.nodes.errors import NodeError
from reconciler.nodes.host_cache import HostCache
from reconciler.nodes.ssh.shell import CommandResult, Shell

FIRST, SECOND = "10.96.0.10", "10.96.0.11"
WANTED = NodeDns(
    image="lab/proxy:1",
    addresses=(FIRST, SECOND),
    config="local=/b/\ntxt-record=c1.v,x\n",
    config_name="c1.v",
    hosts={"shop.web": "10.96.0.1 web.b\n", "shop.db": "10.244.0.2 db.b\n"},
    hosts_name="h1.v",
    answers={"07": "srv _a._tcp.db.b db.b 80\n"},
    answers_name="a1.v",
)


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


class Bench(Shell, SystemContainer):
    """A host's directory, and two servers: both read the hosts at any time, the rest when they are restarted."""

    def __init__(self, root: Path) -> None:
        SystemContainer.__init__(self, "shop", SYSTEM_DNS, cast(Any, None), cast(Any, None), self)
        self._where = "node-1"
        self.directory = root / "shop/dns"
        self._root = root
        self.cache = HostCache(lambda: None)
        self.done: list[str] = []
        self._configs = {FIRST: "", SECOND: ""}
        self.deaf = False
        """No server reads hosts by itself."""
        self.mute = False
        """There is no authority that answers."""
        self._hosts = {FIRST: "", SECOND: ""}
        self.dns = Dns("shop", self, self, cast(Any, None), self.cache)

    # --- Shell ----------------------------------------------------------------------------------------------

    def run(self, argv: Sequence[str], stdin: str | bytes | None = None, timeout: float = 5.0) -> CommandResult:
        if list(argv) == ["cat", "/etc/resolv.conf"]:
            return CommandResult(0, "nameserver 192.0.2.1\n", "")
        self.done += ["write"] if stdin is not None else ["read"]
        here = [word.replace("/var/lib/reconciler", str(self._root)) for word in argv]
        data = stdin.encode() if isinstance(stdin, str) else stdin
        ended = subprocess.run(here, input=data, capture_output=True, timeout=timeout, check=False)
        return CommandResult(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    # --- SystemContainer ------------------------------------------------------------------------------------

    def ensure(self, request: Mapping[str, Any], anew: bool = False) -> None:
        ours = self.cache.container(self.name)
        if ours is None or ours.state != "running" or anew:
            self.done.append("start anew" if anew else "start")
            self._configs = dict.fromkeys(self._configs, self._text("dnsmasq.conf"))
            self._see("running")

    def signal(self, signal: str) -> None:
        self.done.append(signal)
        if signal == "HUP":
            return
        server = {"USR1": FIRST, "USR2": SECOND}[signal]
        self._configs[server] = self._text("dnsmasq.conf")
        self._hosts[server] = self._text("hosts/version")

    def last_words(self, lines: int) -> str:
        return "bad option\nFAILED to start up"

    def die(self) -> None:
        self._see("exited")

    def _see(self, state: Any) -> None:
        container = ObservedContainer("id", self.name, "i", state, "shop", container=SYSTEM_DNS, started_at="t1")
        self.cache.record(self.cache.ticket(), "id", HostContainer(container, self.name, ()))

    # --- the servers ----------------------------------------------------------------------------------------

    def answer(self, _: object, server: str, wanted: NodeDns) -> ServerAnswers:
        config = self._configs[server]
        if not config or "nonsense" in config:
            return ServerAnswers()
        if not self.deaf:
            self._hosts[server] = self._text("hosts/version")
        known = wanted.hosts_name in self._hosts[server].split()
        answers = wanted.answers_name in self._text("answers/version").split() and not self.mute
        return ServerAnswers(True, f"txt-record={wanted.config_name}," in config, known, answers)

    def _text(self, path: str) -> str:
        file = self.directory / path
        return file.read_text() if file.exists() else ""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    monkeypatch.setattr(dns_module, "in_force", made.answer)
    monkeypatch.setattr(dns_module, "time", Clock())
    return made


def files(bench: Bench) -> dict[str, str]:
    found = [path for path in bench.directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(bench.directory)): path.read_text() for path in found}


def test_first_the_files_then_the_servers(bench: Bench) -> None:
    assert bench.dns.ensure(WANTED, full=True).fingerprint == WANTED.fingerprint
    assert bench.done == ["read", "write", "start"]
    assert files(bench) == {
        "dnsmasq.conf": WANTED.config,
        "resolv.conf": "nameserver 192.0.2.1\n",
        "hosts/shop.web": "10.96.0.1 web.b\n",
        "hosts/shop.db": "10.244.0.2 db.b\n",
        "hosts/version": "0.0.0.0 h1.v\n",
        "answers/07": "srv _a._tcp.db.b db.b 80\n",
        "answers/version": "version a1.v\n",
    }


def test_what_is_in_force_costs_nothing_and_a_full_look_writes_nothing(bench: Bench) -> None:
    bench.dns.ensure(WANTED, full=True)
    bench.done.clear()
    bench.dns.ensure(WANTED, full=False)
    assert bench.done == []
    bench.dns.ensure(WANTED, full=True)
    assert bench.done == ["read"]


def test_other_hosts_are_one_write_and_no_restart(bench: Bench) -> None:
    bench.dns.ensure(WANTED, full=True)
    bench.done.clear()
    other = replace(WANTED, hosts={"shop.db": "10.244.0.3 db.b\n"}, hosts_name="h2.v")
    assert bench.dns.ensure(other, full=False).fingerprint == other.fingerprint
    assert bench.done == ["write"]
    assert not (bench.directory / "hosts/shop.web").exists()
    assert files(bench)["hosts/shop.db"] == "10.244.0.3 db.b\n"


def test_other_ports_are_one_write_and_no_restart(bench: Bench) -> None:
    bench.dns.ensure(WANTED, full=True)
    bench.done.clear()
    other = replace(WANTED, answers={"08": "srv _a._tcp.db.b db.b 81\n"}, answers_name="a2.v")
    assert bench.dns.ensure(other, full=False).fingerprint == other.fingerprint
    assert bench.done == ["write"]
    assert not (bench.directory / "answers/07").exists()
    assert files(bench)["answers/08"] == "srv _a._tcp.db.b db.b 81\n"


def test_no_hosts_at_all(bench: Bench) -> None:
    bench.dns.ensure(replace(WANTED, hosts={}, answers={}), full=True)
    assert set(files(bench)) == {"dnsmasq.conf", "resolv.conf", "hosts/version", "answers/version"}


def test_another_configuration_restarts_one_server_after_the_other(bench: Bench) -> None:
    bench.dns.ensure(WANTED, full=True)
    bench.done.clear()
    other = replace(WANTED, config="local=/b/\ntxt-record=c2.v,x\n", config_name="c2.v")
    assert bench.dns.ensure(other, full=False).fingerprint == other.fingerprint
    assert bench.done == ["write", "USR1", "USR2"]


def test_a_server_that_hears_of_no_file_is_restarted(bench: Bench) -> None:
    bench.dns.ensure(WANTED, full=True)
    bench.done.clear()
    bench.deaf = True
    bench.dns.ensure(replace(WANTED, hosts_name="h2.v"), full=False)
    assert bench.done == ["write", "USR1", "USR2"]


def test_a_configuration_that_is_not_taken_is_put_back_and_the_second_server_never_had_it(bench: Bench) -> None:
    bench.dns.ensure(WANTED, full=True)
    bench.done.clear()
    with pytest.raises(NodeError, match=r"at 10\.96\.0\.10 does not answer .*: bad option; FAILED to start up"):
        bench.dns.ensure(replace(WANTED, config="nonsense\n", config_name="c2.v"), full=False)
    assert bench.done == ["write", "USR1", "write", "USR1"]
    assert files(bench)["dnsmasq.conf"] == WANTED.config
    assert bench.answer(None, FIRST, WANTED) == bench.answer(None, SECOND, WANTED)
    assert bench.dns.ensure(WANTED, full=False).fingerprint == WANTED.fingerprint


def test_what_somebody_else_wrote_is_put_right_with_a_full_look(bench: Bench) -> None:
    bench.dns.ensure(WANTED, full=True)
    (bench.directory / "hosts/shop.web").write_text("192.0.2.66 web.b\n")
    (bench.directory / "hosts/foreign").write_text("192.0.2.66 web.b\n")
    bench.dns.ensure(WANTED, full=True)
    assert set(files(bench)) == {f"hosts/{name}" for name in ("shop.web", "shop.db", "version")} | {
        "answers/07",
        "answers/version",
        "dnsmasq.conf",
        "resolv.conf",
    }
    assert files(bench)["hosts/shop.web"] == "10.96.0.1 web.b\n"


def test_a_container_that_ended_is_started(bench: Bench) -> None:
    bench.dns.ensure(WANTED, full=True)
    bench.done.clear()
    bench.die()
    bench.dns.ensure(WANTED, full=False)
    assert bench.done == ["start"]


def test_without_the_authority_only_what_it_knows_is_missing(bench: Bench) -> None:
    bench.dns.ensure(WANTED, full=True)
    bench.done.clear()
    bench.mute = True
    other = replace(WANTED, config="txt-record=c2.v,x\n", config_name="c2.v", hosts_name="h2.v")
    for full in (False, True, False):
        with pytest.raises(NodeError, match="names outside are not answered, all other names are: bad option"):
            bench.dns.ensure(other, full)
    assert bench.done == ["write", "USR1", "USR2", "HUP", "read", "HUP"], "no server was started anew for it"
    for server in (FIRST, SECOND):
        assert bench.answer(None, server, other) == ServerAnswers(True, True, True, False)
    bench.mute = False
    assert bench.dns.ensure(other, full=False).fingerprint == other.fingerprint


def test_one_whose_servers_stay_silent_is_made_anew(bench: Bench) -> None:
    silent = replace(WANTED, config="nonsense\n")
    for _ in range(2):
        with pytest.raises(NodeError):
            bench.dns.ensure(silent, full=True)
    assert bench.done[-1] == "start anew"


# --- what is given to them ----------------------------------------------------------------------------------


def test_the_container_may_do_little_and_another_address_is_another_container() -> None:
    request = container_request("shop", "lab/proxy:1", (FIRST, SECOND))
    host = request["HostConfig"]
    assert (host["CapDrop"], host["ReadonlyRootfs"]) == (["ALL"], True)
    assert host["Binds"] == ["/var/lib/reconciler/shop/dns:/etc/reconciler:ro"]
    other = container_request("shop", "lab/proxy:1", (FIRST, "10.96.0.12"))
    assert other["Labels"][LABEL_HASH] != request["Labels"][LABEL_HASH]


def test_the_supervisor_is_sh() -> None:
    script = container_request("shop", "i", (FIRST, SECOND))["Entrypoint"][2]
    assert subprocess.run(["sh", "-n", "-c", script], capture_output=True, check=False).returncode == 0


def test_a_hosts_name_servers_without_our_own() -> None:
    servers = ("192.0.2.1", "10.96.0.10", "fd00::1", "x;y", "")
    text = "# x\nsearch a.b\n" + "".join(f"nameserver {server}\n" for server in servers)
    assert list(name_servers(text, (FIRST, SECOND))) == ["192.0.2.1", "fd00::1"]


def test_what_an_interrupted_write_had_left_is_not_put_in_force_by_the_next_one(tmp_path: Path) -> None:
    def write(files: Mapping[str, str]) -> None:
        subprocess.run(["sh", "-c", dns_module._WRITE, "sh", str(tmp_path)], input=packed(files), check=True)

    write({"hosts/00": "one", "hosts/version": "v1", "dnsmasq.conf": "a"})
    (tmp_path / "new/hosts/00").write_text("of a session that has ended")
    (tmp_path / "new/dnsmasq.conf").write_text("of a session that has ended")
    write({"hosts/01": "two", "hosts/version": "v2"})
    assert {path.name: path.read_text() for path in (tmp_path / "hosts").iterdir()} == {
        "00": "one",
        "01": "two",
        "version": "v2",
    }
    assert (tmp_path / "dnsmasq.conf").read_text() == "a"
