"""What every store does, the real one and the fake alike."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from reconciler.control.ports import Store
from reconciler.model.acme import AcmeAccount, IssuedCertificate, OrderTry
from reconciler.model.api.core.container import Container, ResourceRequirements
from reconciler.model.api.core.container_status import ContainerState, ContainerStateTerminated
from reconciler.model.api.core.env import EnvVar, EnvVarSource, ObjectFieldSelector
from reconciler.model.api.core.pod import PodSpec, Toleration
from reconciler.model.api.core.service import ServicePort
from reconciler.model.desired import Revision, SourceFile, SourceSnapshot
from reconciler.model.memory import (
    Backoff,
    ClaimRecord,
    Draining,
    IngressRecord,
    Memory,
    NodeRecord,
    PodIntent,
    RestartRecord,
    ServiceRecord,
    TemplateRevision,
)
from reconciler.model.names import Ref
from reconciler.model.observed import Ended
from reconciler.model.plan import Status
from reconciler.model.quantities import Quantity
from reconciler.model.records import Event
from reconciler.model.secrets import SecretText
from reconciler.store.reader import open_reader
from reconciler.store.sqlite import SqliteStore
from tests import published
from tests.fake_store import FakeStore

WEB = Ref("Deployment", "shop", "web")


class Opened(Protocol):
    """A store, what others see of it, and the same store after a restart."""

    store: Store

    def statuses(self) -> dict[Ref, Status]: ...
    def events(self) -> tuple[Event, ...]: ...
    def restarted(self) -> Store: ...


def _without_version(thing: Status) -> Any:
    """The resourceVersion is the store's own."""
    metadata = msgspec.structs.replace(thing.metadata, resource_version="")
    return msgspec.structs.replace(thing, metadata=metadata)


class OpenedSqlite:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.store: Store = SqliteStore(directory)

    def statuses(self) -> dict[Ref, Status]:
        with open_reader(self._directory) as reader:
            found = reader.statuses()
        return {ref: _without_version(thing) for ref, thing in found.items()}

    def events(self) -> tuple[Event, ...]:
        with open_reader(self._directory) as reader:
            return reader.events()

    def restarted(self) -> Store:
        self.store.close()
        self.store = SqliteStore(self._directory)
        return self.store


class OpenedFake:
    def __init__(self, directory: Path) -> None:
        self._fake = FakeStore()
        self.store: Store = self._fake

    def statuses(self) -> dict[Ref, Status]:
        return self._fake.statuses

    def events(self) -> tuple[Event, ...]:
        return self._fake.events()

    def restarted(self) -> Store:
        return self._fake


@pytest.fixture(params=[OpenedSqlite, OpenedFake])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    make: Callable[[Path], Opened] = request.param
    opened = make(tmp_path / "state")
    yield opened
    opened.store.close()


def intent(uid: str = "web-1-abc", **fields: Any) -> PodIntent:
    spec = PodSpec(
        containers=(
            Container(
                name="app",
                image="web:1",
                env=(EnvVar("NAME", value_from=EnvVarSource(field_ref=ObjectFieldSelector("metadata.name"))),),
                resources=ResourceRequirements(
                    requests={"cpu": Quantity.parse("250m"), "memory": Quantity.parse("1.5Gi")}
                ),
            ),
        ),
        tolerations=(Toleration(key="disk", operator="Exists"),),
    )
    known: dict[str, Any] = {
        "node": "node-1",
        "owner": WEB,
        "labels": {"app": "web"},
        "spec": spec,
        "ip": "10.244.1.2",
    }
    return PodIntent(uid, "shop", uid, hash="0123456789", revision="c0ffee", **(known | fields))


ACME = "https://acme.example.org/directory"
MEMORY = Memory(
    pods={"web-1-abc": intent(), "web-2-abc": intent("web-2-abc", wanted="leave", reason="scaled down")},
    nodes={"node-1": NodeRecord("node-1", "ENGINE", "10.244.1.0/24", 7)},
    services={Ref("Service", "shop", "web"): ServiceRecord("10.96.0.10", (30080, 0))},
    ingresses={Ref("Ingress", "shop", "web"): IngressRecord(3)},
    claims={Ref("PersistentVolumeClaim", "shop", "data"): ClaimRecord("node-1", "lab_shop_data", delete=True)},
    accounts={ACME: AcmeAccount(SecretText("account key"), "thumb")},
    certificates={
        Ref("Secret", "shop", "site"): IssuedCertificate(
            ("a.org",), ACME, SecretText("chain"), SecretText("key"), 1.9e9, 1.9e9 + 7776000
        )
    },
    runs={
        "web-1-abc": {
            "app": RestartRecord(
                3, "0123456789ab@2026-11-23T09:22:45Z", Ended(137, oom_killed=True), "fedcba987654@~2"
            )
        }
    },
    incarnations={WEB: 12, Ref("Pod", "shop", "debug"): 1},
    template_revisions={
        WEB: (
            TemplateRevision("9876543210", 1, None, {"app": "web"}),
            TemplateRevision("0123456789", 4, intent().spec, {"app": "web"}, {"note": "new"}),
        )
    },
    applied={WEB: {"kind": "Deployment", "spec": {"replicas": 2, "paused": None, "weights": [1, 2.5, "é\n"]}}},
    revision="c0ffee",
)


def test_a_new_store_remembers_nothing(opened: Opened) -> None:
    assert opened.store.load() == Memory()
    assert opened.store.last_revision() is None


def test_memory_survives_a_restart_as_it_was(opened: Opened) -> None:
    opened.store.save(MEMORY)
    assert opened.restarted().load() == MEMORY


def test_a_quantity_comes_back_as_it_was_written(opened: Opened) -> None:
    opened.store.save(MEMORY)
    spec = opened.restarted().load().pods["web-1-abc"].spec
    assert spec is not None
    assert str(spec.containers[0].resources.requests["memory"]) == "1.5Gi"


def test_each_save_replaces_all_that_was_remembered(opened: Opened) -> None:
    opened.store.save(MEMORY)
    smaller = msgspec.structs.replace(
        MEMORY, pods={"web-1-abc": intent(node="node-2")}, applied={}, services={}, incarnations={WEB: 13}
    )
    opened.store.save(smaller)
    assert opened.store.load() == smaller
    assert opened.restarted().load() == smaller


def test_what_is_volatile_is_forgotten_by_a_restart(opened: Opened) -> None:
    opened.store.save(
        msgspec.structs.replace(
            MEMORY,
            backoffs={"u": Backoff(1, 2.0, "no")},
            ready_since={"u": 1.0},
            leaving={"u": Draining(2.0, 3.0)},
            orders={Ref("Secret", "shop", "site"): OrderTry(("a.org",), ACME, 1, 2.0)},
        )
    )
    assert opened.restarted().load() == MEMORY


def test_a_revision_is_kept_whole_and_replaced_whole(opened: Opened) -> None:
    files = (SourceFile("a.yaml", "1", b"a: 1\xff\x00"), SourceFile("b/c.yaml", "2", b""))
    first = SourceSnapshot(Revision("1" * 40, "/repo (main)", "First"), files)
    second = SourceSnapshot(
        Revision("2" * 40, "/repo (main)", "Second"), (files[1], SourceFile("d.yaml", "3", b"d"))
    )
    opened.store.keep_revision(first)
    assert opened.restarted().last_revision() == first
    opened.store.keep_revision(second)
    assert opened.restarted().last_revision() == second


ENDED = ContainerState(terminated=ContainerStateTerminated(137, "OOMKilled", "the end", finished_at="t"))
STATUSES: dict[Ref, Status] = published.by_ref(
    published.deployment(WEB, 2, 2, 1, 1, 1, "rolling out"),
    published.node("node-1", cpu_milli=4000, memory_bytes=8 << 30, labels={"zone": "a"}),
    published.pod(
        Ref("Pod", "shop", "web-1"),
        published.running("app", "web:1", ready=True, restart_count=2, last_state=ENDED),
        uid="web-1-abc",
        ip="10.244.1.2",
        owner=WEB,
        created=1e9,
        spec=intent().spec,
    ),
    published.service(Ref("Service", "shop", "web"), "NodePort", ports=(ServicePort(80, node_port=30080),)),
    published.endpoints(Ref("Service", "shop", "web"), 8080, "10.244.1.2"),
)


def test_published_statuses_are_what_others_see(opened: Opened) -> None:
    opened.store.publish(STATUSES)
    assert opened.statuses() == STATUSES
    assert list(opened.statuses()) == sorted(STATUSES)


def test_what_was_published_is_told_to_the_next_run(opened: Opened) -> None:
    assert opened.store.published() == {}
    opened.store.publish(STATUSES)
    assert opened.restarted().published() == STATUSES


def test_a_status_no_longer_published_is_gone(opened: Opened) -> None:
    opened.store.publish(STATUSES)
    rest = {ref: status for ref, status in STATUSES.items() if ref != WEB}
    opened.store.publish(rest)
    assert opened.statuses() == rest


def test_the_first_publication_after_a_restart_replaces_what_the_last_run_published(opened: Opened) -> None:
    opened.store.publish(STATUSES)
    store = opened.restarted()
    assert opened.statuses() == STATUSES
    store.publish({WEB: STATUSES[WEB]})
    assert opened.statuses() == {WEB: STATUSES[WEB]}


def event(message: str = "pulled web:1", at: float = 1.0, reason: str = "Pulled") -> Event:
    return Event(WEB, "Normal", reason, message, "node-1", at)


def test_equal_events_are_counted_and_move_to_the_end(opened: Opened) -> None:
    opened.store.record([event(at=1.0), event("pulled web:2", 2.0), event(at=3.0)])
    opened.store.record([event(at=4.0)])
    counted = msgspec.structs.replace(event(at=4.0), count=3)
    assert opened.events() == (event("pulled web:2", 2.0), counted)


def test_no_events_are_no_news(opened: Opened) -> None:
    opened.store.record([])
    assert opened.events() == ()
