"""What the proxy's files and HAProxy itself say."""

import subprocess
from pathlib import Path

import pytest

from reconciler.model.addresses import socket_address
from reconciler.nodes.proxy.container import container_request
from reconciler.nodes.proxy.files import (
    PUT,
    Header,
    current_workers,
    haproxy_complaint,
    held_by_others,
    left_out_of,
    not_heard,
    read_binds,
    read_digests,
    read_header,
    read_listens,
    read_servers,
    source_digest,
    without_binds,
)

CONFIG = """\
# fingerprint: 0123abcd
# structure: 4567
# routed: 10.244.1.2 10.244.2.3

global
    stats socket /etc/reconciler/admin.sock
listen shop_web_http
    bind 10.96.0.10:80
    server web-1 10.244.1.2:8080
    server web-2 10.244.2.3:8080 check
"""
SHOW_PROC = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          2               0d00h00m10s     2.6.12-1+deb12u1
# workers
34              worker          0               0d00h00m01s     2.6.12-1+deb12u1
# old workers
20              worker          1               0d00h00m09s     2.6.12-1+deb12u1
# programs

"""


def test_the_first_lines_say_what_is_in_force() -> None:
    assert read_header(CONFIG) == Header("0123abcd", "4567", frozenset({"10.244.1.2", "10.244.2.3"}))


def test_no_file_says_nothing() -> None:
    assert read_header("") == Header()


def test_later_lines_are_not_a_header() -> None:
    assert read_header("global\n\n\n# fingerprint: forged\n") == Header()


def test_servers_are_read_from_their_lines() -> None:
    assert read_servers(CONFIG) == {
        "shop_web_http": {
            "web-1": socket_address("10.244.1.2:8080"),
            "web-2": socket_address("10.244.2.3:8080"),
        }
    }


def test_what_somebody_else_has_written_into_the_file_is_passed_over() -> None:
    text = "listen a_b_c\n    bind :80\n    bind 10.96.0.1:x\n    server a /run/a.sock\n    server b host:80\n"
    assert read_servers(text) == {"a_b_c": {}}
    assert read_listens(text) == {"a_b_c": frozenset()}
    assert left_out_of("4567 without nonsense,10.96.0.1:80") == {socket_address("10.96.0.1:80")}
    assert left_out_of("4567") == frozenset()


def test_the_digests_of_lists_are_those_of_sha256sum() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert read_digests(f"{empty}  shop_web_http.allowed\n") == {"shop_web_http.allowed": source_digest("")}
    assert read_digests("") == {}


def test_a_section_without_servers_is_one_too() -> None:
    assert read_servers("global\nlisten a_b_c\n    bind 10.96.0.1:80\n") == {"a_b_c": {}}


def test_an_old_worker_is_not_a_worker() -> None:
    assert current_workers(SHOW_PROC) == {34}


def test_a_master_that_does_not_answer_has_none() -> None:
    assert current_workers("") == frozenset()


def test_the_complaint_is_haproxys_without_clock_and_process() -> None:
    output = "[NOTICE]   (7) : haproxy version is 2.6\n[ALERT]    (7) : config : unknown keyword 'tpc'.\n"
    assert haproxy_complaint(output) == "config : unknown keyword 'tpc'."


def test_another_image_is_another_container() -> None:
    label = "reconciler.dev/hash"
    one, two = container_request("demo", "haproxy:2.8"), container_request("demo", "haproxy:3.0")
    assert one["Labels"][label] != two["Labels"][label]
    assert one == container_request("demo", "haproxy:2.8")


LISTENING = """\
LISTEN 0      4096         0.0.0.0:30080 0.0.0.0:* users:(("docker-proxy",pid=9,fd=4))
LISTEN 0      4096         0.0.0.0:30081 0.0.0.0:* users:(("haproxy",pid=7,fd=7),("haproxy",pid=1,fd=7))
LISTEN 0      4096      10.96.0.10:80    0.0.0.0:* users:(("haproxy",pid=7,fd=6))
LISTEN 0      128                *:30082       *:* users:(("node",pid=3,fd=3))
LISTEN 0      128             [::]:30083    [::]:* users:(("v6only",pid=3,fd=3))
LISTEN 0      128   127.0.0.1%lo:30084  0.0.0.0:*
LISTEN 0      128        127.0.0.1:81    0.0.0.0:* users:(("local",pid=5,fd=3))
"""


@pytest.mark.parametrize(
    ("bind", "holder"),
    [
        ("0.0.0.0:30080", "docker-proxy"),
        ("0.0.0.0:30081", None),
        ("10.96.0.10:80", None),
        ("10.96.0.11:80", None),
        ("0.0.0.0:30082", "node"),
        ("10.96.0.10:30082", "node"),
        ("0.0.0.0:30083", None),
        ("0.0.0.0:30084", "another program"),
        ("10.96.0.10:81", None),
    ],
)
def test_whether_an_address_is_held_by_another_program(bind: str, holder: str | None) -> None:
    ours = {socket_address("0.0.0.0:30081"), socket_address("10.96.0.10:80")}
    at = socket_address(bind)
    assert held_by_others({at}, ours, LISTENING).get(at) == holder


def test_another_haproxy_on_an_address_that_is_not_ours_yet_counts_as_held() -> None:
    bind = socket_address("0.0.0.0:30081")
    assert held_by_others({bind}, set(), LISTENING) == {bind: "haproxy"}


def test_what_is_held_is_left_out_and_the_file_no_longer_passes_for_the_whole_one() -> None:
    bind = socket_address("10.96.0.10:80")
    assert read_binds(CONFIG) == {bind}
    assert without_binds(CONFIG, {socket_address("10.96.0.11:80")}) == CONFIG.replace(
        "# fingerprint: 0123abcd", "# fingerprint:"
    )
    partial = without_binds(CONFIG, {bind})
    assert read_binds(partial) == set()
    assert read_header(partial) == Header("", "4567 without 10.96.0.10:80", read_header(CONFIG).routed)
    assert read_servers(partial) == read_servers(CONFIG)
    assert "10.96.0.10:80 (held by nginx)" in not_heard({bind: "nginx"})


@pytest.mark.parametrize(("sent", "there"), [("new text", "new text"), ("new te", "old"), ("", "old")])
def test_a_file_that_comes_cut_short_is_not_put_in_place(tmp_path: Path, sent: str, there: str) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("old")
    done = subprocess.run(["sh", "-c", PUT, "sh", str(file), "8"], input=sent, text=True, check=False)
    assert (done.returncode == 0, file.read_text()) == (sent == "new text", there)
