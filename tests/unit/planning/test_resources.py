"""Quality of service, and who is killed first where memory ends."""

import pytest

from reconciler.model.api.core.container import Container, ResourceRequirements
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.observed import Facts
from reconciler.model.quantities import Quantity
from reconciler.planning.kubelet.resources import oom_score, qos_of, resources_of

FACTS = Facts("e", "27", "Debian", "6.1", "x86_64", 4, 8 << 30)


def container(requests: str = "", limits: str = "", name: str = "app", **more: object) -> Container:
    """Amounts as `cpu memory`; `-` for none."""

    def read(text: str) -> dict[str, Quantity]:
        amounts = zip(("cpu", "memory"), text.split(), strict=False)
        return {key: Quantity.parse(amount) for key, amount in amounts if amount != "-"}

    return Container(name, "i", resources=ResourceRequirements(read(requests), read(limits)), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([container()], "BestEffort"),
        ([container("0 0")], "BestEffort"),
        ([container("1 1Gi", "1 1Gi")], "Guaranteed"),
        ([container("", "1 1Gi")], "Guaranteed"),
        ([container("1000m 1024Mi", "1 1Gi")], "Guaranteed"),
        ([container("500m 1Gi", "1 1Gi")], "Burstable"),
        ([container("", "1")], "Burstable"),
        ([container("- 1Gi", "- 1Gi")], "Burstable"),
        ([container("1 1Gi", "1 1Gi"), container(name="b")], "Burstable"),
        ([container("", "1 1Gi"), container("", "2 1Gi", "b")], "Guaranteed"),
    ],
)
def test_quality_of_service(containers: list[Container], expected: str) -> None:
    assert qos_of(PodSpec(tuple(containers))) == expected


def test_init_containers_count_too() -> None:
    guaranteed = container("", "1 1Gi")
    assert qos_of(PodSpec((guaranteed,), (container(name="init"),))) == "Burstable"


def score(one: Container, *others: Container, facts: Facts | None = FACTS) -> int:
    return oom_score(one, PodSpec((one, *others)), facts)


def test_who_is_killed_first() -> None:
    assert score(container("", "1 1Gi")) == 0
    assert score(container()) == 1000
    assert score(container("- 2Gi")) == 750
    assert score(container("- 1Mi")) == 999
    assert score(container("- 100Gi")) == 3
    assert score(container("- 2Gi"), facts=None) == 999


def test_a_sidecar_is_killed_no_sooner_than_what_it_serves() -> None:
    sidecar = container("- 1Gi", name="side", restart_policy="Always")
    spec = PodSpec((container("- 4Gi"),), (sidecar, container("- 1Gi", name="init")))
    assert oom_score(sidecar, spec, FACTS) == 500
    assert oom_score(spec.init_containers[1], spec, FACTS) == 875


def test_amounts_in_dockers_units() -> None:
    one = container("250m 64Mi", "1500m 128Mi")
    limits = resources_of(one, PodSpec((one,)), FACTS)
    assert (limits.cpu_shares, limits.cpu_milli_limit) == (256, 1500)
    assert (limits.memory_request_bytes, limits.memory_limit_bytes) == (64 << 20, 128 << 20)


def test_who_asks_for_no_cpu_gets_the_smallest_share_and_who_has_a_limit_asked_for_it() -> None:
    nothing, limited = container(), container("", "2")
    assert resources_of(nothing, PodSpec((nothing,)), None).cpu_shares == 2
    assert resources_of(limited, PodSpec((limited,)), None).cpu_shares == 2048


def test_a_request_that_docker_would_refuse_as_too_small_is_left_out() -> None:
    small = container("- 1Mi")
    assert resources_of(small, PodSpec((small,)), None).memory_request_bytes == 0
