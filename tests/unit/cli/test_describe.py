"""`reconciler describe` of what proxies serve, where no proxy can be asked."""

import json
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from reconciler.cli import cli
from reconciler.model.api.core.service import ServicePort
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.store.sqlite import SqliteStore
from tests.published import by_ref, endpoints, service

WEB = Ref("Service", "default", "web")
MANIFESTS: dict[Ref, dict[str, Any]] = {
    WEB: {"metadata": {"name": "web"}, "spec": {"ports": [{"name": "http", "port": 80}]}},
    Ref("Cluster", "", "c"): {
        "apiVersion": "reconciler.dev/v1",
        "kind": "Cluster",
        "metadata": {"name": "c"},
        "spec": {},
    },
    Ref("Node", "", "node-1"): {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node-1", "annotations": {"reconciler.dev/ssh": "ssh://127.0.0.1:1"}},
    },
}


def state(folder: Path, cluster_ip: str = "10.96.0.2", hosts: bool = True) -> None:
    store = SqliteStore(folder)
    applied = {ref: manifest for ref, manifest in MANIFESTS.items() if hosts or ref == WEB}
    store.save(Memory(applied=applied, revision="r1"))
    web = service(WEB, cluster_ip=cluster_ip, ports=(ServicePort(80, "http"),))
    store.publish(by_ref(web, endpoints(WEB, 8080, "10.244.0.2")))
    store.close()


def describe(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["describe", "service", "web", "--state", str(folder), *arguments])


def test_a_host_that_cannot_be_reached_is_a_row_that_says_so(tmp_path: Path) -> None:
    state(tmp_path)
    shown = describe(tmp_path)
    assert shown.exit_code == 0
    assert "Endpoints:                10.244.0.2:8080" in shown.stdout
    (row,) = [line for line in shown.stdout.splitlines() if line.strip().startswith("node-1")]
    assert row.split()[:3] == ["node-1", "<unknown>", "<unknown>"]
    assert "127.0.0.1:1 does not answer" in row


def test_structured_it_says_the_same(tmp_path: Path) -> None:
    state(tmp_path)
    as_json = json.loads(describe(tmp_path, "-o", "json").stdout)
    assert yaml.safe_load(describe(tmp_path, "-o", "yaml").stdout) == as_json
    (told,) = as_json["traffic"]
    assert told["node"] == "node-1"
    assert "127.0.0.1:1 does not answer" in told["error"]
    assert as_json["spec"]["ports"] == [{"name": "http", "port": 80}]
    assert as_json["events"] == []


def test_without_hosts_the_page_is_shown_and_what_is_missing_is_said(tmp_path: Path) -> None:
    state(tmp_path, hosts=False)
    shown = describe(tmp_path)
    assert shown.exit_code == 0
    assert "Endpoints:" in shown.stdout
    assert "\nTraffic:" not in shown.stdout
    assert "how it does now cannot be asked: this state knows no hosts yet" in shown.stderr


def test_of_a_headless_service_no_proxy_is_asked(tmp_path: Path) -> None:
    state(tmp_path, cluster_ip="None")
    shown = describe(tmp_path)
    assert "\nTraffic:" not in shown.stdout
    assert "cannot be asked" not in shown.stderr
