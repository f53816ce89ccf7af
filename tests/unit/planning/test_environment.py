"""What variables hold that the pod itself, or its amounts, are read for."""

import msgspec
import pytest

from reconciler.model.api.core.container import Container, ResourceRequirements
from reconciler.model.api.core.env import EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector
from reconciler.model.api.core.pod import PodSpec
from reconciler.model.desired import Desired
from reconciler.model.memory import PodIntent
from reconciler.model.names import Ref
from reconciler.model.observed import Facts
from reconciler.model.quantities import Quantity
from reconciler.planning.kubelet.downward_api import field_of
from reconciler.planning.kubelet.environment import environment
from tests.simulated import deployment, desired

WEB = Ref("Deployment", "default", "web")
INTENT = PodIntent(
    "uid-1", "default", "web-1", "node-000", "h", "r1", "10.244.0.2", WEB, {"tier": "a", "app": 'we"b'}
)
FACTS = Facts("e", "27", "Debian", "6.1", "x86_64", 4, 8 << 30)


def annotated() -> Desired:
    made = deployment()
    template = msgspec.structs.replace(
        made.spec.template,
        metadata=msgspec.structs.replace(made.spec.template.metadata, annotations={"note": "one\ntwo"}),
    )
    return desired(
        msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, template=template)), nodes=1
    )


WANTED = desired(nodes=1)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "uid-1"),
        ("metadata.labels['tier']", "a"),
        ("metadata.labels['absent']", ""),
        ("metadata.labels", 'app="we\\"b"\ntier="a"'),
        ("spec.nodeName", "node-000"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "10.244.0.2"),
        ("status.podIPs", "10.244.0.2"),
        ("status.hostIP", "node-000.example"),
        ("status.hostIPs", "node-000.example"),
    ],
)
def test_fields_of_the_pod(path: str, value: str) -> None:
    assert field_of(path, INTENT, WANTED) == value


def test_annotations_are_the_templates_and_quoted_as_upstream() -> None:
    wanted = annotated()
    assert field_of("metadata.annotations['note']", INTENT, wanted) == "one\ntwo"
    assert field_of("metadata.annotations", INTENT, wanted) == 'note="one\\ntwo"'


def test_values_are_escaped_as_go_does() -> None:
    intent = msgspec.structs.replace(INTENT, labels={"k": "\\ \t\x01 ä \u200b \U000e0001"})
    assert field_of("metadata.labels", intent, WANTED) == 'k="\\\\ \\t\\x01 ä \\u200b \\U000e0001"'


def test_a_pod_on_its_hosts_network_has_its_address() -> None:
    assert field_of("status.podIP", msgspec.structs.replace(INTENT, ip=""), WANTED) == "node-000.example"


def amount(resource: str, resources: ResourceRequirements, divisor: str = "", facts: Facts | None = None) -> str:
    selector = ResourceFieldSelector(resource, divisor=Quantity.parse(divisor) if divisor else None)
    variable = EnvVar("N", value_from=EnvVarSource(resource_field_ref=selector))
    container = Container("app", "i", env=(variable,), resources=resources)
    value = environment(container, INTENT, PodSpec((container,)), WANTED, facts)["N"]
    assert isinstance(value, str)
    return value


SOME = ResourceRequirements(
    requests={"cpu": Quantity.parse("250m"), "memory": Quantity.parse("64Mi")},
    limits={"cpu": Quantity.parse("1500m")},
)


def test_amounts_are_rounded_up_to_whole_divisors() -> None:
    assert amount("limits.cpu", SOME) == "2"
    assert amount("limits.cpu", SOME, "1m") == "1500"
    assert amount("requests.cpu", SOME) == "1"
    assert amount("requests.memory", SOME) == str(64 << 20)
    assert amount("requests.memory", SOME, "1Mi") == "64"
    assert amount("requests.memory", SOME, "1Gi") == "1"


def test_a_limit_that_is_not_set_is_what_the_node_has() -> None:
    assert amount("limits.memory", SOME, "1Gi", FACTS) == "8"
    assert amount("limits.cpu", ResourceRequirements(), facts=FACTS) == "4"


def test_while_the_node_is_unknown_it_is_the_request_or_nothing() -> None:
    assert amount("limits.memory", SOME, "1Mi") == "64"
    assert amount("limits.cpu", ResourceRequirements()) == "0"


def test_a_request_that_is_not_set_is_the_limit() -> None:
    assert amount("requests.cpu", ResourceRequirements(limits={"cpu": Quantity.parse("2")})) == "2"


def test_the_amount_of_another_container() -> None:
    selector = ResourceFieldSelector("requests.cpu", "big", Quantity.parse("1m"))
    small = Container("small", "i", env=(EnvVar("N", value_from=EnvVarSource(resource_field_ref=selector)),))
    spec = PodSpec((small, Container("big", "i", resources=SOME)))
    assert environment(small, INTENT, spec, WANTED) == {"N": "250"}


def test_a_field_as_a_variable() -> None:
    variable = EnvVar("UID", value_from=EnvVarSource(field_ref=ObjectFieldSelector("metadata.uid")))
    container = Container("app", "i", env=(variable, EnvVar("PATH_OF", "/data/$(UID)")))
    assert environment(container, INTENT, PodSpec((container,)), WANTED)["PATH_OF"] == "/data/uid-1"
