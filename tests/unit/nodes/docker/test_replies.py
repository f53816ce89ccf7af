"""Replies captured from Docker 20.10 and from the host's commands, and what we read in them."""

from typing import Any

import msgspec
import pytest

from reconciler.model.observed import ObservedContainer
from reconciler.nodes.docker.moments import event_time
from reconciler.nodes.docker.replies import (
    DiskUse,
    read_container,
    read_disk,
    read_facts,
    read_image_tags,
    read_listed,
    read_listed_ports,
    read_load,
    read_ports,
)

RUNNING: dict[str, Any] = {
    "Id": "ace1974b4859",
    "Name": "/web-2_POD",
    "RestartCount": 2,
    "State": {
        "Status": "running",
        "Running": True,
        "OOMKilled": False,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": "2026-11-23T09:22:45.869925408Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
    },
    "Config": {
        "Image": "lab/pause:1",
        "Labels": {
            "reconciler.dev/cluster": "demo",
            "reconciler.dev/namespace": "shop",
            "reconciler.dev/pod": "web-2",
            "reconciler.dev/uid": "u2",
            "reconciler.dev/container": "POD",
            "reconciler.dev/owner": "Deployment/web",
            "reconciler.dev/hash": "0123456789",
            "reconciler.dev/revision": "c0ffee00",
            "maintainer": "someone",
        },
    },
    "NetworkSettings": {
        "Ports": {
            "8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "80"}, {"HostIp": "::", "HostPort": "80"}],
            "9/udp": None,
        },
        "Networks": {
            "reconciler": {"IPAMConfig": {"IPv4Address": "10.244.1.2"}, "IPAddress": "10.244.1.2"},
        },
    },
}


def changed(**state: object) -> dict[str, Any]:
    return RUNNING | {"State": RUNNING["State"] | state}


def test_a_running_container_is_read_whole() -> None:
    assert read_container(RUNNING) == ObservedContainer(
        id="ace1974b4859",
        name="web-2_POD",
        image="lab/pause:1",
        state="running",
        cluster="demo",
        namespace="shop",
        pod="web-2",
        uid="u2",
        container="POD",
        owner="Deployment/web",
        hash="0123456789",
        revision="c0ffee00",
        ip="10.244.1.2",
        restart_count=2,
        started_at="2026-11-23T09:22:45.869925408Z",
        started=1795425765.8699253,
    )


def test_a_container_killed_for_memory_says_so() -> None:
    seen = read_container(changed(Status="exited", ExitCode=137, OOMKilled=True))
    assert (seen.state, seen.exit_code, seen.oom_killed) == ("exited", 137, True)


def test_a_stopped_container_keeps_the_address_it_was_made_with() -> None:
    stopped = {"reconciler": {"IPAMConfig": {"IPv4Address": "10.244.1.2"}, "IPAddress": ""}}
    assert read_container(RUNNING | {"NetworkSettings": {"Networks": stopped}}).ip == "10.244.1.2"


def test_a_container_without_labels_or_networks_is_foreign() -> None:
    seen = read_container(
        {
            "Id": "1",
            "Name": "/x",
            "State": {"Status": "created"},
            "Config": {"Labels": None},
            "NetworkSettings": {},
        }
    )
    assert (seen.cluster, seen.uid, seen.ip) == ("", "", "")


def test_a_state_that_is_not_known_is_not_running() -> None:
    assert read_container(changed(Status="hibernating")).state == "dead"


def test_host_ports_are_read_once_for_both_address_families() -> None:
    assert read_ports(RUNNING) == (80,)
    listed = {
        "Ports": [{"PrivatePort": 1, "PublicPort": 80}, {"PrivatePort": 1, "PublicPort": 80}, {"PrivatePort": 9}]
    }
    assert read_listed_ports(listed) == (80,)


def test_a_listed_container_is_known_by_its_labels_and_state() -> None:
    listed = {
        "Id": "ace1974b4859",
        "Names": ["/web-2_POD"],
        "Image": "lab/pause:1",
        "State": "running",
        "Labels": RUNNING["Config"]["Labels"],
        "NetworkSettings": {"Networks": {"reconciler": {"IPAddress": "10.244.1.2"}}},
    }
    whole = read_container(RUNNING)
    unknown = msgspec.structs.replace(whole, restart_count=0, started_at="", started=0.0, inspected=False)
    assert read_listed(listed) == unknown


def test_when_a_container_was_made_is_read() -> None:
    assert read_container(RUNNING | {"Created": "2026-11-23T09:22:45.5Z"}).created == 1795425765.5


def test_an_image_without_a_tag_has_no_name() -> None:
    images: list[dict[str, Any]] = [
        {"RepoTags": ["a:1", "b:2"]},
        {"RepoTags": None},
        {"RepoTags": ["<none>:<none>"]},
    ]
    assert read_image_tags(images) == {"a:1", "b:2"}


def test_facts_come_from_four_sources() -> None:
    info = {"ID": "AAAA", "ServerVersion": "20.10", "NCPU": 2, "MemTotal": 1024, "OperatingSystem": "Debian"}
    facts = read_facts(info, DiskUse(10, 5), 0.5, "192.0.2.1")
    assert facts.address == "192.0.2.1"
    assert (facts.engine_id, facts.cpus, facts.disk_free_bytes, facts.load1) == ("AAAA", 2, 5, 0.5)


def test_disk_and_load_are_read_from_their_commands() -> None:
    output = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 100 40 60 40% /\n"
    assert read_disk(output) == DiskUse(102400, 61440)
    assert read_load("0.52 0.58 0.59 1/234 5678\n") == 0.52


@pytest.mark.parametrize(
    ("system_time", "expected"),
    [
        ("1970-01-01T00:00:10.5Z", "10.500000000"),
        ("1970-01-01T00:00:10.123456789Z", "10.123456789"),
        ("1970-01-01T00:00:10Z", "10.000000000"),
    ],
)
def test_the_hosts_clock_is_passed_on_with_all_its_digits(system_time: str, expected: str) -> None:
    assert event_time(system_time) == expected
