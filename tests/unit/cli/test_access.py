"""Finding the pod that a person means, and the words for when there is none."""

from pathlib import Path

import click
import pytest

from reconciler.cli.access import ClusterAccess, choose_container, target
from reconciler.cli.cp import _end as copy_end
from reconciler.cli.port_forward import _number, _pair
from reconciler.model.api.core.container import Container, ContainerPort
from reconciler.model.api.core.pod import Pod, PodSpec
from reconciler.model.api.core.service import ServicePort
from reconciler.model.memory import Memory
from reconciler.model.names import Ref
from reconciler.settings import Settings
from tests import published

WEB = Ref("Deployment", "shop", "web")
REPLICAS = Ref("ReplicaSet", "shop", "web-5d2aa")
SERVICE = Ref("Service", "shop", "web")


def pod(name: str, node: str = "node-1", ready: bool = True, owner: Ref | None = REPLICAS) -> Pod:
    return published.pod(
        Ref("Pod", "shop", name),
        published.running("web"),
        published.running("log"),
        init=(published.terminated("setup"), published.running("proxy")),
        uid=f"u-{name}",
        ip="10.244.0.2",
        ready=ready,
        owner=owner,
        labels={"app": name[:3]},
        spec=PodSpec((Container("web", "i", ports=(ContainerPort(8080, "http"),)),), node_name=node),
    )


DEPLOYMENT = published.deployment(WEB, 2, 2, 2, 1, 1)
PODS = (pod("web-a", ready=False), pod("web-b"), pod("api-a", owner=None), pod("job", node="", owner=None))
KNOWN = ClusterAccess(
    {
        **published.by_ref(*PODS),
        WEB: DEPLOYMENT,
        REPLICAS: published.replica_set("web-5d2aa", DEPLOYMENT, "5d2aa", 1),
        SERVICE: published.service(
            SERVICE, ports=(ServicePort(80, "main", target_port="http"),), selector={"app": "web"}
        ),
    },
    Memory(),
    Settings(Path("/nowhere")),
)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("web-a", "web-a"),
        ("pod/web-a", "web-a"),
        ("deploy/web", "web-b"),
        ("rs/web-5d2aa", "web-b"),
        ("svc/web", "web-b"),
    ],
)
def test_a_pod_by_its_name_or_the_first_ready_one_of_something(word: str, name: str) -> None:
    assert KNOWN.pod(word, "shop").metadata.name == name


@pytest.mark.parametrize(
    ("word", "namespace", "words"),
    [
        ("wep-a", "shop", "pod 'wep-a' not found in namespace shop; did you mean 'web-a'?"),
        ("web-a", "default", "there is one in namespace shop (-n shop)"),
        ("deploy/wev", "shop", "did you mean 'web'?"),
        ("job", "shop", "Pod shop/job is on no node yet"),
    ],
)
def test_none_is_answered_with_a_way_out(word: str, namespace: str, words: str) -> None:
    with pytest.raises(click.ClickException) as refused:
        KNOWN.pod(word, namespace)
    assert words in refused.value.message


def test_another_kind_has_no_pods() -> None:
    with pytest.raises(click.UsageError):
        target("cm/texts", "shop")


def test_the_first_main_container_is_taken_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert choose_container(PODS[0], "").name == "web"
    said = capsys.readouterr().err
    assert said == 'Defaulted container "web" out of: web, log, setup (init), proxy (init)\n'
    assert choose_container(PODS[0], "setup").name == "setup"
    with pytest.raises(click.ClickException, match="it has: web, log"):
        choose_container(PODS[0], "wep")


def test_a_state_without_hosts_says_so() -> None:
    with pytest.raises(click.ClickException, match="knows no hosts yet"):
        KNOWN.hosts()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("./a:b", ("", "./a:b", "")),
        ("/a:b", ("", "/a:b", "")),
        ("file", ("", "file", "")),
        ("web-a:/tmp/x", ("web-a", "/tmp/x", "")),
        ("shop/web-a:x", ("web-a", "x", "shop")),
        ("deploy/web:/x", ("deploy/web", "/x", "")),
    ],
)
def test_the_ends_of_a_copy(text: str, expected: tuple[str, str, str]) -> None:
    assert copy_end(text) == expected


@pytest.mark.parametrize(
    ("text", "pair"), [("8080:80", (8080, "80")), ("80", (80, "80")), (":80", (0, "80")), ("http", (0, "http"))]
)
def test_pairs_of_ports(text: str, pair: tuple[int, str]) -> None:
    assert _pair(text) == pair


@pytest.mark.parametrize("text", ["a:80", "80:", "", "70000:80"])
def test_no_pairs_of_ports(text: str) -> None:
    with pytest.raises(click.UsageError):
        _pair(text)


def test_the_port_that_is_meant() -> None:
    deployment, web = Ref("Deployment", "shop", "web"), PODS[1]
    assert _number(KNOWN, deployment, web, "9000") == 9000
    assert _number(KNOWN, deployment, web, "http") == 8080
    assert [_number(KNOWN, SERVICE, web, port) for port in ("80", "main")] == [8080, 8080]
    with pytest.raises(click.ClickException, match="it has: 80"):
        _number(KNOWN, SERVICE, web, "81")
    with pytest.raises(click.ClickException, match="it has: http"):
        _number(KNOWN, deployment, web, "https")
