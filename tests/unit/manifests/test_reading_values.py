"""What YAML readers differ on, and what a manifest must not hold: each on its line, with the fix in words."""

import pytest

from reconciler.manifests.yaml.scalars import Ambiguous, read_plain
from reconciler.model.api.apps import Deployment
from reconciler.model.api.core.config import ConfigMap
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import Service
from reconciler.model.desired import Desired, Rejected
from tests.good_revision import Faults, Load

AMBIGUOUS = """
    no yes on off y n No YES Off True FALSE ~ Null 010 0o17 0x1F 0b1 1_000 1:2 1:20:30 190:20:30.15 2024-01-31
    2024-01-31T10:00:00Z .5 5. +5 1e3 12345e7 .inf -.inf .NaN 1234567890123456789012
"""


@pytest.mark.fault(16)
@pytest.mark.parametrize("text", AMBIGUOUS.split())
def test_a_value_that_readers_differ_on_is_never_guessed(text: str) -> None:
    with pytest.raises(Ambiguous):
        read_plain(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("8080", 8080),
        ("0.5", 0.5),
        ("web", "web"),
        ("8080:80", "8080:80"),
        ("1.2.3", "1.2.3"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("100m", "100m"),
        ("512Mi", "512Mi"),
        ("25%", "25%"),
        ("-c", "-c"),
        ("--flag", "--flag"),
        ("1a2b3c4", "1a2b3c4"),
        ("node", "node"),
    ],
)
def test_everything_else_is_what_it_looks_like(text: str, value: object) -> None:
    assert read_plain(text) == value
    assert type(read_plain(text)) is type(value)


@pytest.mark.fault(15, 16)
@pytest.mark.parametrize(
    ("line", "expected", "fix"),
    [
        ("MODE: no", "config.yaml:6:9 /data/MODE ambiguous-value", "quote it"),
        ("MODE: 010", "config.yaml:6:9 /data/MODE ambiguous-value", "quote it"),
        ("MODE: 1:2", "config.yaml:6:9 /data/MODE ambiguous-value", "quote it"),
        ("MODE: 2024-01-31", "config.yaml:6:9 /data/MODE ambiguous-value", "quote it"),
        ("MODE: ~", "config.yaml:6:9 /data/MODE ambiguous-value", "quote it"),
        ("MODE: 8080", "config.yaml:6:9 /data/MODE wrong-type", "quote it"),
        ("MODE: true", "config.yaml:6:9 /data/MODE wrong-type", "quote it"),
        ("MODE:", "config.yaml:6:8 /data/MODE wrong-type", "give it a value"),
        ("on: x", "config.yaml:6:3 /data/on key-not-text", 'quote it: "on"'),
        ("8080: x", "config.yaml:6:3 /data/8080 key-not-text", 'quote it: "8080"'),
        ("? [a]\n  : x", "config.yaml:6:5 /data/? key-not-text", "write `key: value`"),
        ("<<: {a: b}", "config.yaml:6:3 /data/<< merge-key", "write the fields out"),
        ("MODE: !!python/object/apply:os.system [id]", "config.yaml:6:9 /data/MODE tag", "remove the `!…`"),
        ("MODE: !!str 8080", "config.yaml:6:9 /data/MODE tag", "remove the `!…`"),
        ("MODE: a\n  MODE: b", "config.yaml:7:3 /data/MODE duplicate-key", "keep one"),
    ],
)
def test_a_surprise_is_refused_with_the_fix_in_words(
    changed: Load, faults: Faults, line: str, expected: object, fix: str
) -> None:
    result = changed("config.yaml", "MODE: production", line)
    assert isinstance(result, Rejected)
    assert expected in faults(result)
    assert len({problem.pointer for problem in result.problems}) == len(result.problems) == 1
    assert fix in result.problems[0].fix


def test_a_small_alias_is_accepted(changed: Load, load: Load) -> None:
    result = changed("config.yaml", "MODE: production", "MODE: &mode production\n  OTHER: *mode")
    (settings,) = result.of(ConfigMap).values()
    assert settings.data == {"MODE": "production", "OTHER": "production"}


@pytest.mark.fault(22, 26)
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("replicas: 2", "replicas: 010", "web.yaml:6:13 /spec/replicas ambiguous-value"),
        ("replicas: 2", "replicas: true", "web.yaml:6:13 /spec/replicas wrong-type"),
        ("replicas: 2", "replicas: 1.5", "web.yaml:6:13 /spec/replicas wrong-type"),
        ("replicas: 2", "replicas: 20000.0", "web.yaml:6:13 /spec/replicas invalid-value"),
        ("replicas: 2", "replicas: '2.0'", "web.yaml:6:13 /spec/replicas wrong-type"),
        ("replicas: 2", 'replicas: "2"', "web.yaml:6:13 /spec/replicas wrong-type"),
        ("replicas: 2", "replicas: -1", "web.yaml:6:13 /spec/replicas invalid-value"),
        ("replicas: 2", "replicas: 1000000000", "web.yaml:6:13 /spec/replicas invalid-value"),
        ("replicas: 2", "replcias: 2", "web.yaml:6:3 /spec/replcias unknown-field"),
        ("name: web", "name: -web", "web.yaml:4:9 /metadata/name invalid-value"),
        ("name: web", 'name: "web\\n"', "web.yaml:4:9 /metadata/name invalid-value"),
        ("name: web", 'name: "we\'b"', "web.yaml:4:9 /metadata/name invalid-value"),
        ("name: web", 'name: "\\e[31m"', "web.yaml:4:9 /metadata/name invalid-value"),
        ("name: web", "name: " + "a" * 300, "web.yaml:4:9 /metadata/name invalid-value"),
        ("name: web", "name: 123", "web.yaml:4:9 /metadata/name wrong-type"),
        ("image: web:1", "image: Web:1", "web.yaml:17:18 /spec/template/spec/containers/0/image invalid-value"),
        (
            "image: web:1",
            "image: web:$(id)",
            "web.yaml:17:18 /spec/template/spec/containers/0/image invalid-value",
        ),
        (
            "name: TOKEN",
            "name: 1TOKEN",
            "web.yaml:25:21 /spec/template/spec/containers/0/env/0/name invalid-value",
        ),
        (
            "containerPort: 8080",
            "containerPort: 70000",
            "web.yaml:20:30 /spec/template/spec/containers/0/ports/0/containerPort invalid-value",
        ),
        (
            "cpu: 100m",
            "gpu: 1",
            "web.yaml:32:15 /spec/template/spec/containers/0/resources/requests/gpu unknown-field",
        ),
        (
            "cpu: 100m",
            "cpu: lots",
            "web.yaml:32:20 /spec/template/spec/containers/0/resources/requests/cpu invalid-value",
        ),
    ],
)
def test_a_wrong_value_is_refused_at_its_place(
    changed: Load, faults: Faults, old: str, new: str, expected: object
) -> None:
    result = changed("web.yaml", old, new)
    assert isinstance(result, Rejected)
    assert expected in faults(result)
    assert all(str(problem).isprintable() for problem in result.problems)
    assert all(len(str(problem)) < 500 for problem in result.problems)


def test_a_whole_number_may_be_written_as_a_decimal(good: dict[str, str], load: Load) -> None:
    text = good["web.yaml"].replace("replicas: 2", "replicas: 2.0\n  minReadySeconds: 5.0", 1)
    text = text.replace("containerPort: 8080", "containerPort: 8080.0", 1).replace("cpu: 1\n", "cpu: 1.0\n", 1)
    service = good["web-service.yaml"].replace("targetPort: http", "targetPort: 8080.0", 1)
    result = load({"web.yaml": text, "web-service.yaml": service})
    assert isinstance(result, Desired), result.problems
    (web,) = result.of(Deployment).values()
    assert (web.spec.replicas, web.spec.min_ready_seconds) == (2, 5)
    (container,) = web.spec.template.spec.containers
    assert (container.ports[0].container_port, str(container.resources.limits["cpu"])) == (8080, "1.0")
    (port,) = next(iter(result.of(Service).values())).spec.ports
    assert port.target_port == 8080
    assert isinstance(port.target_port, int)


def test_a_text_that_looks_like_a_whole_decimal_is_still_no_text(load: Load, faults: Faults) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {a: 2.0}}\ndata: {version: 1.0}\n"
    assert faults(load({"c.yaml": text})) == [
        "c.yaml:3:33 /metadata/labels/a wrong-type",
        "c.yaml:4:17 /data/version wrong-type",
    ]


@pytest.mark.fault(20)
def test_a_misspelt_field_is_told_what_was_meant(changed: Load) -> None:
    (problem,) = changed("web.yaml", "replicas", "replcias").problems
    assert problem.fix == "did you mean `replicas`?"


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: yes}\n"
SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
    "spec: {selector: {app: web}, ports: [{port: 80, targetPort: '80'}]}\n"
)
POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {a: on}}\nspec:\n"
    "  containers: [{name: a, image: a, tty: off, args: [no], env: [{name: A, value: 010}], "
    "livenessProbe: {httpGet: {port: '80'}}}]\n"
    "  volumes: [{name: v, configMap: {name: settings, defaultMode: 0o640}}]\n"
)


def fixes(result: Desired | Rejected) -> dict[str, str]:
    assert isinstance(result, Rejected)
    return {problem.pointer: problem.fix for problem in result.problems}


def test_a_fix_is_one_that_leads_to_a_right_manifest(load: Load) -> None:
    assert fixes(load({"s.yaml": SECRET})) == {"/stringData/a": "quote it"}
    assert fixes(load({"s.yaml": SERVICE})) == {"/spec/ports/0/targetPort": "remove the quotes"}
    assert fixes(load({"p.yaml": POD})) == {
        "/metadata/labels/a": "quote it",
        "/spec/containers/0/args/0": "quote it",
        "/spec/containers/0/env/0/value": "quote it",
        "/spec/containers/0/livenessProbe/httpGet/port": "remove the quotes",
        "/spec/containers/0/tty": "write false, or quote it",
        "/spec/volumes/0/configMap/defaultMode": "write 0640, or 416",
    }


def test_a_percentage_without_its_sign_is_a_number_without_quotes(changed: Load) -> None:
    result = changed("web.yaml", "replicas: 2", 'strategy: {rollingUpdate: {maxSurge: "1"}}')
    assert fixes(result) == {"/spec/strategy/rollingUpdate/maxSurge": "remove the quotes"}


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("0o644", "write 0644, or 420"),
        ("644", "write 0644, or 420"),
        ("'0644'", "remove the quotes"),
        ("0x1A4", "write permission bits like 0644, or 420"),
        ("999", "write a number from 0 to 511"),
    ],
)
def test_permission_bits_are_told_how_to_be_written(load: Load, written: str, fix: str) -> None:
    pod = POD.replace("on}", "'on'}").replace("tty: off, args: [no], env: [{name: A, value: 010}], ", "")
    pod = pod.replace("port: '80'", "port: 80").replace("0o640", written)
    assert fixes(load({"p.yaml": pod})) == {"/spec/volumes/0/configMap/defaultMode": fix}


def test_permission_bits_may_be_octal_and_nothing_else_may(load: Load, faults: Faults) -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n"
        "  containers: [{name: a, image: a}]\n"
        "  volumes:\n"
        "    - name: v\n"
        "      configMap: {name: settings, defaultMode: 0640, items: [{key: MODE, path: a, mode: 0400}]}\n"
    )
    (read,) = load({"p.yaml": pod}).of(Pod).values()
    volume = read.spec.volumes[0].config_map
    assert (volume.default_mode, volume.items[0].mode) == (0o640, 0o400)
    for wrong, code in (("0o640", "ambiguous-value"), ("0900", "ambiguous-value"), ("'0640'", "wrong-type")):
        result = load({"p.yaml": pod.replace("0640", wrong)})
        assert isinstance(result, Rejected)
        assert [problem.code for problem in result.problems] == [code]
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {mode: 0644}\n"
    assert faults(load({"c.yaml": text})) == ["c.yaml:4:14 /data/mode wrong-type"]
