"""Real hosts for the tests: `lab` is up, and every test that uses it finds it whole and empty."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.lab import Host, Lab
from tests.own_lab import own_lab

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab of three hosts or more; one that was up before the tests stays up after them."""
    lab = own_lab()
    was_up = any(status.state != "off" for status in lab.status().values())
    lab.up(nodes=max(3, len(lab.records)))
    yield lab
    if was_up:
        restore(lab)
    else:
        lab.down()


@pytest.fixture(autouse=True)
def whole_and_empty_lab(request: pytest.FixtureRequest) -> None:
    """Before each test that uses the lab: nothing of an earlier test runs, all hosts and engines answer."""
    if "lab" in request.fixturenames:
        restore(request.getfixturevalue("lab"))


def restore(lab: Lab) -> None:
    """Heal every host, restart what died, and wipe what a reconciler left there."""

    def restore_host(host: Host) -> None:
        if host.status().state != "ready":
            host.start()
        host.wipe()

    with ThreadPoolExecutor(len(lab.nodes)) as pool:
        list(pool.map(restore_host, lab.nodes))
