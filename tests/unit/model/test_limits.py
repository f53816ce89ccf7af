"""What of a container's limits Docker can put back while it runs."""

import pytest
from msgspec.structs import replace

from reconciler.model.limits import ContainerLimits, can_be_put_back, limits
from reconciler.nodes.docker.create_request import limit_fields, limit_update
from reconciler.nodes.docker.replies import read_container

WANTED = limits(cpu_shares=512, cpu_milli=500, memory=64 << 20, memory_reservation=32 << 20)
NONE = limits(2, 0, 0, 0)


@pytest.mark.parametrize(
    ("now", "wanted", "can"),
    [
        (replace(WANTED, memory=32 << 20, cpu_shares=2), WANTED, True),
        (replace(NONE, cpu_quota=10_000), NONE, True),
        (replace(NONE, memory=32 << 20), NONE, False),
        (replace(NONE, memory_reservation=32 << 20), NONE, False),
        (replace(WANTED, others=("NanoCpus=100000000",)), WANTED, False),
    ],
)
def test_what_docker_can_only_change_is_not_taken_away(
    now: ContainerLimits, wanted: ContainerLimits, can: bool
) -> None:
    assert can_be_put_back(now, wanted) is can


@pytest.mark.parametrize("wanted", [WANTED, NONE])
def test_what_is_asked_for_is_read_back(wanted: ContainerLimits) -> None:
    for host in (limit_fields(wanted), {**limit_fields(NONE), **limit_update(wanted, 0)}):
        inspected = {"Id": "c", "Name": "/c", "State": {}, "Config": {}, "HostConfig": host}
        assert read_container(inspected).limits == wanted


def test_a_policy_that_is_never_ours_is_told_from_one_that_is_not_known() -> None:
    def policy(**told: object) -> object:
        inspected = {"Id": "c", "Name": "/c", "State": {}, "Config": {}, "HostConfig": {"RestartPolicy": told}}
        return read_container(inspected).restart_policy

    assert policy(Name="on-failure") == "OnFailure"
    assert policy(Name="on-failure", MaximumRetryCount=3) == "Other"
    assert policy(Name="always") == "Other"
    assert policy() is None
