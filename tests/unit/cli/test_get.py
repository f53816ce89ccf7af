"""`reconciler get` before there is anything to show, and for those who don't know its words yet."""

import json
import time
from pathlib import Path

from click.testing import CliRunner, Result

from reconciler.cli import cli
from reconciler.control.timestamps import with_timestamps
from reconciler.kinds import KINDS
from reconciler.model.api.meta import ManifestMetadata, ObjectMeta
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.model.records import Event
from reconciler.store.sqlite import SqliteStore
from tests.published import by_ref, endpoints, service


def get(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["get", *arguments, "--state", str(state)])


def test_a_kind_that_is_not_kept_is_answered_with_those_that_are(tmp_path: Path) -> None:
    for arguments in ((), ("frobs",)):
        result = get(tmp_path, *arguments)
        assert result.exit_code == 2
        *others, last = [
            f"{kind.names.plural} ({', '.join(kind.names.short)})" if kind.names.short else kind.names.plural
            for kind in KINDS
        ]
        assert f"{', '.join(others)} or {last}" in result.stderr
        assert "pods (po), deployments (deploy), " in result.stderr


def test_where_nothing_is_in_the_default_namespace_others_are_hinted_at(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    result = get(tmp_path, "pods")
    assert result.exit_code == 0
    assert result.stdout == "No resources found.\n"
    assert "-A all of them" in result.stderr


def test_events_about_one_object(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.record(
        tuple(Event(Ref("Deployment", "shop", name), "Normal", "Complete", "") for name in ("web", "api"))
    )
    store.close()
    shown = json.loads(get(tmp_path, "events", "web", "-n", "shop", "-o", "json").stdout)
    assert [event["name"] for event in shown["items"]] == ["web"]


def test_endpoints_are_those_of_the_services(tmp_path: Path) -> None:
    web, mail = Ref("Service", "default", "web"), Ref("Service", "default", "mail")
    store = SqliteStore(tmp_path)
    store.publish(
        by_ref(
            service(web, created=1.0),
            endpoints(web, 8080, "10.244.0.2"),
            service(mail, "ExternalName", "", (), external_name="mail.example.org"),
        )
    )
    store.close()
    header, *rows = get(tmp_path, "endpoints").stdout.splitlines()
    assert header.split() == ["NAME", "ENDPOINTS", "AGE"]
    assert [row.split()[:2] for row in rows] == [["web", "10.244.0.2:8080"]]
    shown = json.loads(get(tmp_path, "ep", "web", "-o", "json").stdout)
    assert shown["subsets"] == [{"addresses": [{"ip": "10.244.0.2"}], "ports": [{"port": 8080}]}]
    services = get(tmp_path, "svc", "mail").stdout.splitlines()[1]
    assert services.split()[:5] == ["mail", "ExternalName", "<none>", "mail.example.org", "<none>"]


def test_an_object_without_a_status_is_shown_whole_with_its_age(tmp_path: Path) -> None:
    ref = Ref("Secret", "default", "login")
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": "default"},
        "data": {"token": "f1ng3r"},
    }
    with SqliteStore(tmp_path) as store:
        store.save(Memory(applied={ref: manifest}))
        written = get(tmp_path, "secret", "login", "-o", "json")
        assert json.loads(written.stdout)["metadata"] == manifest["metadata"], "it is not published yet"
        metadata = ManifestMetadata(ObjectMeta("login", "default"), "digest", counted=False)
        store.publish(with_timestamps({}, {ref: metadata}, time.time() - 90))
    shown = json.loads(get(tmp_path, "secret", "login", "-o", "json").stdout)
    assert shown["data"] == {"token": "***"}
    assert list(shown) == ["apiVersion", "kind", "metadata", "data"]
    assert shown["metadata"].keys() == {"name", "namespace", "uid", "creationTimestamp", "resourceVersion"}
    assert get(tmp_path, "secrets").stdout.split()[-1] == "90s"
