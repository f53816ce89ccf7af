"""What a scrape tells of a loop that runs."""

from contextlib import closing

from prometheus_client import CollectorRegistry

from reconciler.metrics import Scraper, registry_of
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.traffic import Sections
from tests.unit.control.test_loop import Cell, until


class Quiet:
    """A proxy without services."""

    def read(self) -> Sections:
        return ()

    def rest(self) -> None: ...

    def close(self) -> None: ...


def quiet(node: Node, cluster: Cluster) -> Quiet:
    return Quiet()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_its_pods_its_hosts_its_turns_and_what_it_refuses() -> None:
    cell = Cell()
    cell.web(3)
    with cell.running() as loop, closing(Scraper(quiet)) as scraper:
        registry = registry_of(loop, scraper)
        until(lambda: value(registry, "reconciler_converged"))
        assert value(registry, "reconciler_pods", phase="Running") == 3
        assert value(registry, "reconciler_proxy_up", node="a") == 1
        assert loop.desired is not None
        assert value(registry, "reconciler_revision_info", revision=str(loop.desired.revision)) == 1
        assert value(registry, "reconciler_revision_refused") == 0
        turns = value(registry, "reconciler_turn_seconds_count") or 0
        cell.source.put("bad.yaml", "kind: [")
        until(lambda: value(registry, "reconciler_revision_refused") == 1)
        cell.hosts["b"].lose()
        until(lambda: value(registry, "reconciler_node_up", node="b") == 0)
        until(lambda: (value(registry, "reconciler_turn_seconds_count") or 0) > turns)
