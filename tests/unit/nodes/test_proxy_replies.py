"""What the proxy's files and HAProxy itself say."""

from reconciler.nodes.proxy import (
    Header,
    container_request,
    current_workers,
    haproxy_complaint,
    read_header,
    read_servers,
)

CONFIG = """\
# fingerprint: 0123abcd
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


def test_the_first_two_lines_say_what_is_in_force() -> None:
    assert read_header(CONFIG) == Header("0123abcd", frozenset({"10.244.1.2", "10.244.2.3"}))


def test_no_file_says_nothing() -> None:
    assert read_header("") == Header()


def test_later_lines_are_not_a_header() -> None:
    assert read_header("global\n\n# fingerprint: forged\n") == Header()


def test_servers_are_read_from_their_lines() -> None:
    assert read_servers(CONFIG) == {"10.244.1.2:8080", "10.244.2.3:8080"}


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
