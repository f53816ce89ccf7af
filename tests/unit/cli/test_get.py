"""`reconciler get` before there is anything to show, and for those who don't know its words yet."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from reconciler.cli import cli
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
        assert (
            "pods (po), deployments (deploy), replicasets (rs), services (svc), ingresses (ing), nodes (no)"
            in result.stderr
        )


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
