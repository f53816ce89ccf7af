"""A node's HAProxy while pods come and go: one process, and what it is told is what it does."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.model.addresses import socket_address
from reconciler.model.proxy import ProxyServer
from tests.node_host import CLUSTER, Host, app, connect, node_of, sandbox, set_up, setup, started
from tests.wrk import Wrk

WEB, OTHER = (
    ProxyServer("web", socket_address("10.244.9.2:8080")),
    ProxyServer("other", socket_address("10.244.9.3:8080")),
)
EVERYBODY, HOSTS = ("0.0.0.0/0",), ("10.96.0.0/16", "127.0.0.0/8")
LISTS = f"/var/lib/reconciler/{CLUSTER}/proxy/sources"
LIST = "/etc/reconciler/sources/default_web_http.allowed"
FILE = f"/var/lib/reconciler/{CLUSTER}/proxy/haproxy.cfg"


@pytest.fixture
def host(lab: Lab) -> Iterator[Host]:
    with set_up(connect(node_of(lab), lab)) as ready:
        ready.do("u1", *started(sandbox()), *started(app()))
        _wait(lambda: "hi" in _answer(lab))
        yield ready


def test_servers_come_and_go_in_one_process_and_the_file_follows(lab: Lab, host: Host) -> None:
    before = _worker(lab)
    for n in range(20):
        host.ensure(setup(f"n{n}", structure="one", servers=(WEB, OTHER) if n % 2 == 0 else (WEB,)))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "n19")
    assert host.look().proxy.routed == {"10.244.9.2"}
    assert _worker(lab) == before
    _wait(lambda: _state(lab) == {"web": "2 0"})
    _wait(lambda: "hi" in _answer(lab))
    _wait(lambda: "fingerprint: n19" in lab.nodes[0].run(["head", "-1", FILE]).stdout)
    host.ensure(setup("none", structure="one", servers=()))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "none")
    assert host.look().proxy.routed == frozenset()
    _wait(lambda: _state(lab) == {})  # once its last connection is closed


@pytest.mark.fault(67)
def test_a_hundred_changes_a_second_stay_in_one_process_and_lose_no_request(
    lab: Lab, host: Host, tmp_path: Path
) -> None:
    before = _worker(lab)
    again = ProxyServer("again", WEB.address)
    enter = ("nsenter", f"--net={lab.nodes[0].network.namespace_path(lab.nodes[0].name)}")
    with Wrk("http://10.96.0.10/", tmp_path, kept=False, connections=4, enter=enter) as load:
        began = time.monotonic()
        for n in range(200):
            host.ensure(setup(f"n{n}", structure="one", servers=(WEB, again) if n % 2 else (WEB,)))
            time.sleep(max(0.0, began + n / 100 - time.monotonic()))
        host.told.wait_for(lambda: host.look().proxy.fingerprint == "n199")
        _wait(lambda: _state(lab) == {"web": "2 0", "again": "2 0"})
    assert (load.count.failed, load.count.requests > 500) == (0, True), load.count.why
    assert _worker(lab) == before


@pytest.mark.fault(68)
def test_a_reload_keeps_what_is_known_of_dead_pods(lab: Lab, host: Host) -> None:
    host.ensure(setup("two", structure="one", servers=(OTHER, WEB)))
    _wait(lambda: _state(lab) == {"web": "2 0", "other": "0 0"})
    host.ensure(setup("three", servers=(OTHER, WEB)))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "three")
    assert _state(lab) == {"web": "2 0", "other": "0 0"}


def test_a_haproxy_that_is_killed_comes_back_with_the_servers_of_now(lab: Lab, host: Host) -> None:
    host.ensure(setup("now", structure="one", servers=(OTHER, WEB)))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "now")
    lab.nodes[0].run(["kill", "-KILL", _worker(lab)])
    _wait(lambda: set(_state(lab)) == {"web", "other"})
    _wait(lambda: "hi" in _answer(lab))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "now")


def test_networks_come_and_go_in_one_process_and_their_file_follows(lab: Lab, host: Host) -> None:
    host.ensure(setup("all", structure="guarded", allowed=EVERYBODY))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "all")
    _wait(lambda: "hi" in _answer(lab))
    before = _worker(lab)
    host.ensure(setup("none", structure="guarded", allowed=()))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "none")
    assert _answer(lab) == ""
    _wait(lambda: _listed(lab) == [])
    host.ensure(setup("hosts", structure="guarded", allowed=HOSTS))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "hosts")
    assert "hi" in _answer(lab)
    _wait(lambda: _listed(lab) == [*HOSTS])
    assert _worker(lab) == before


def test_networks_that_the_process_has_no_list_for_are_a_reload(lab: Lab, host: Host) -> None:
    before = _worker(lab)
    host.ensure(setup("none", structure="one", allowed=()))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "none")
    assert _worker(lab) != before
    assert _answer(lab) == ""
    host.ensure(setup("open"))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "open")
    _wait(lambda: "hi" in _answer(lab))
    assert lab.nodes[0].run(["ls", LISTS]).stdout == "", "no list is left that nothing needs"


@pytest.mark.fault(69)
def test_networks_that_others_changed_while_no_master_was_there_are_put_right(lab: Lab, host: Host) -> None:
    host.ensure(setup("hosts", structure="guarded", allowed=HOSTS))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "hosts")
    before = _worker(lab)
    host.session.close()
    assert "hi" in _answer(lab)
    _socket(lab, "admin", f"clear acl {LIST}")
    assert _answer(lab) == ""
    again = connect(node_of(lab), lab)
    try:
        again.found()
        again.ensure(setup("hosts", structure="guarded", allowed=HOSTS))
        again.told.wait_for(lambda: again.look().proxy.fingerprint == "hosts")
        assert "hi" in _answer(lab)
        lab.nodes[0].run(["rm", f"{LISTS}/default_web_http.allowed"])
        again.ensure(setup("more", structure="guarded", allowed=("192.0.2.0/24", *HOSTS)))
        _wait(lambda: _listed(lab) == sorted(("192.0.2.0/24", *HOSTS)))
    finally:
        again.session.close()
    assert _worker(lab) == before


def test_a_haproxy_that_is_killed_comes_back_with_the_networks_of_now(lab: Lab, host: Host) -> None:
    host.ensure(setup("all", structure="guarded", allowed=EVERYBODY))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "all")
    host.ensure(setup("none", structure="guarded", allowed=()))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "none")
    lab.nodes[0].run(["kill", "-KILL", _worker(lab)])
    _wait(lambda: _state(lab) == {"web": "2 0"})
    _wait(lambda: _socket(lab, "admin", f"show acl {LIST}") == [""])  # it answers, and with nothing
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "none")
    assert _answer(lab) == ""


@pytest.mark.fault(69)
def test_a_haproxy_that_hangs_is_replaced_by_one_that_answers(lab: Lab, host: Host) -> None:
    lab.nodes[0].run(["kill", "-STOP", _worker(lab)])
    host.ensure(setup("two", structure="one", servers=(OTHER, WEB)))
    host.told.wait_for(lambda: host.look().proxy.fingerprint == "two", 40)
    assert set(_state(lab)) == {"web", "other"}
    _wait(lambda: "hi" in _answer(lab))


def _socket(lab: Lab, name: str, command: str) -> list[str]:
    script = f'echo "{command}" | socat -t2 - UNIX-CONNECT:/etc/reconciler/{name}.sock'
    return lab.nodes[0].docker("exec", f"{CLUSTER}_proxy", "sh", "-c", script, check=False).stdout.splitlines()


def _worker(lab: Lab) -> str:
    """The newest: an old one may still be on its way out. As the host numbers its processes."""
    found = lab.nodes[0].docker("top", f"{CLUSTER}_proxy", "-eo", "pid,ppid,args").stdout.splitlines()
    processes = [line.split() for line in found if " haproxy " in line]
    masters = {pid for pid, *_ in processes}
    return max((pid for pid, parent, *_ in processes if parent in masters), key=int)


def _state(lab: Lab) -> dict[str, str]:
    """Server -> operational and administrative state."""
    rows = [line.split() for line in _socket(lab, "admin", "show servers state default_web_http")]
    return {row[3]: f"{row[5]} {row[6]}" for row in rows if len(row) > 18 and row[0].isdigit()}


def _listed(lab: Lab) -> list[str]:
    """By the file of the list."""
    return lab.nodes[0].run(["cat", f"{LISTS}/default_web_http.allowed"], check=False).stdout.split()


def _answer(lab: Lab) -> str:
    return lab.nodes[0].run(["curl", "-s", "-m", "2", "http://10.96.0.10/"], check=False).stdout.strip()


def _wait(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
