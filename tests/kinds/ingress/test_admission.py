"""An Ingress: what it may hold, what must be there behind it, and what its annotations come to."""

import json
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from reconciler.manifests.annotations.ingress import SETTINGS
from reconciler.model.api.networking import Ingress
from reconciler.model.desired import Desired, Rejected
from reconciler.model.ingress_options import Canary, IngressOptions
from reconciler.model.names import Ref
from tests.certificates import signed
from tests.good_revision import Faults, Load

WEB = Ref("Ingress", "default", "web")
INGRESS = dedent("""\
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata:
      name: web
    spec:
      rules:
        - host: shop.example.org
          http:
            paths:
              - path: /
                pathType: Prefix
                backend: {service: {name: web, port: {number: 80}}}
    """)
SITE = dedent("""\
    apiVersion: v1
    kind: Secret
    metadata:
      name: site
    stringData:
      tls.crt: certificate
      tls.key: key
      auth: HELD
    """)
BCRYPT = "$2y$05$abcdefghijklmnopqrstuuJkWlQz4OdXDpY7FkoYVSUGqFYc/oyVG"


def annotated(**notes: str) -> str:
    lines = "".join(f'    reconciler.dev/{name.replace("_", "-")}: "{note}"\n' for name, note in notes.items())
    return INGRESS.replace("  name: web\n", f"  name: web\n  annotations:\n{lines}", 1)


def options(load: Load, notes: Mapping[str, str]) -> IngressOptions:
    result = load({"i.yaml": annotated(**notes), "site.yaml": SITE.replace("HELD", f"'admin:{BCRYPT}'")})
    assert isinstance(result, Desired), result.problems
    return result.of(Ingress)[WEB].options


def test_an_ingress_is_part_of_what_is_wanted(load: Load, faults: Faults) -> None:
    result = load({"i.yaml": INGRESS})
    assert faults(result) == []
    assert result.of(Ingress)[WEB].spec.rules[0].host == "shop.example.org"
    assert result.of(Ingress)[WEB].options == IngressOptions()
    assert "options" not in result.manifests[WEB]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("number: 80", "name: http", "i.yaml:12:50 /spec/rules/0/http/paths/0/backend/service/port unknown-port"),
        ("number: 80", "number: 81", "i.yaml:12:50 /spec/rules/0/http/paths/0/backend/service/port unknown-port"),
        ("{number: 80}", "{}", "i.yaml:12:50 /spec/rules/0/http/paths/0/backend/service/port missing-field"),
        (
            "number: 80",
            "number: 80, name: web",
            "i.yaml:12:50 /spec/rules/0/http/paths/0/backend/service/port conflicting-fields",
        ),
        (
            "{name: web, port",
            "{name: wbe, port",
            "i.yaml:12:39 /spec/rules/0/http/paths/0/backend/service/name dangling-reference",
        ),
        ("path: /\n", "path: web\n", "i.yaml:10:19 /spec/rules/0/http/paths/0/path invalid-value"),
        ("path: /\n", "path: /a(/|$)(.*)\n", "i.yaml:10:19 /spec/rules/0/http/paths/0/path invalid-value"),
        ("path: /\n", "path: /a//b\n", "i.yaml:10:19 /spec/rules/0/http/paths/0/path invalid-value"),
        ("path: /\n", "path: /a/../b\n", "i.yaml:10:19 /spec/rules/0/http/paths/0/path invalid-value"),
        ("host: shop.example.org", "host: Shop.example.org", "i.yaml:7:13 /spec/rules/0/host invalid-value"),
        ("host: shop.example.org", "host: shop.*.org", "i.yaml:7:13 /spec/rules/0/host invalid-value"),
        ("host: shop.example.org", "host: 192.0.2.7", "i.yaml:7:13 /spec/rules/0/host invalid-value"),
        ("pathType: Prefix", "pathType: Regex", "i.yaml:11:23 /spec/rules/0/http/paths/0/pathType invalid-value"),
    ],
)
def test_a_fault_is_refused_where_it_stands(load: Load, faults: Faults, old: str, new: str, expected: str) -> None:
    result = load({"i.yaml": INGRESS.replace(old, new, 1)})
    assert isinstance(result, Rejected)
    assert faults(result) == [expected]


def test_rules_or_a_default_backend_are_needed(load: Load, faults: Faults) -> None:
    empty = INGRESS.partition("spec:")[0] + "spec: {}\n"
    assert faults(load({"i.yaml": empty})) == ["i.yaml:5:7 /spec missing-field"]
    pathless = INGRESS.partition("      http:")[0]
    assert faults(load({"i.yaml": pathless})) == ["i.yaml:7:7 /spec/rules/0 missing-field"]
    served = pathless + "  defaultBackend: {service: {name: web, port: {number: 80}}}\n"
    assert faults(load({"i.yaml": served})) == []


def test_a_host_and_path_twice_in_one_ingress_is_refused(load: Load, faults: Faults) -> None:
    entry = INGRESS.partition("paths:\n")[2]
    twice = INGRESS + entry.replace("path: /\n", "path: /a/\n", 1) + entry.replace("path: /\n", "path: /a\n", 1)
    assert faults(load({"i.yaml": twice})) == ["i.yaml:16:19 /spec/rules/0/http/paths/2/path duplicate-path"]
    exact = twice.replace("pathType: Prefix", "pathType: Exact")
    assert faults(load({"i.yaml": exact})) == []


def test_a_certificate_that_is_named_is_there(load: Load, faults: Faults) -> None:
    secured = INGRESS + "  tls:\n    - {secretName: site}\n"
    at = "i.yaml:14:20 /spec/tls/0/secretName"
    assert faults(load({"i.yaml": secured})) == [f"{at} dangling-reference"]
    assert faults(load({"i.yaml": secured, "site.yaml": SITE.replace("tls.key", "key")})) == [f"{at} missing-key"]
    assert faults(load({"i.yaml": secured, "site.yaml": SITE})) == []


ISSUED = annotated(acme="true") + "  tls:\n    - {hosts: [shop.example.org], secretName: site}\n"


@pytest.fixture
def with_issuer(good: dict[str, str]) -> str:
    """The good Cluster, with somebody who issues certificates."""
    return good["cluster.yaml"] + "spec: {acme: {server: https://acme.example.org/directory}}\n"


def test_a_certificate_that_is_to_be_issued_need_not_be_there(
    load: Load, faults: Faults, with_issuer: str
) -> None:
    result = load({"cluster.yaml": with_issuer, "i.yaml": ISSUED})
    assert faults(result) == []
    assert result.of(Ingress)[WEB].options.acme


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "  tls:\n    - {hosts: [shop.example.org], secretName: site}\n",
            "",
            "i.yaml:6:26 /metadata/annotations/reconciler.dev~1acme missing-field",
        ),
        (", secretName: site", "", "i.yaml:16:7 /spec/tls/0 missing-field"),
        ("hosts: [shop.example.org]", 'hosts: ["*.example.org"]', "i.yaml:16:7 /spec/tls/0 invalid-value"),
    ],
)
def test_what_cannot_be_issued_is_refused(
    load: Load, faults: Faults, with_issuer: str, old: str, new: str, expected: str
) -> None:
    assert old in ISSUED
    result = load({"cluster.yaml": with_issuer, "i.yaml": ISSUED.replace(old, new, 1)})
    assert isinstance(result, Rejected)
    assert faults(result) == [expected]


def test_somebody_must_issue_it(load: Load, faults: Faults) -> None:
    assert faults(load({"i.yaml": ISSUED})) == [
        "i.yaml:6:26 /metadata/annotations/reconciler.dev~1acme missing-field"
    ]


@pytest.mark.parametrize(
    "acme",
    [
        "{server: http://acme.example.org}",
        "{server: 'https://a.org x'}",
        "{email: ops@example.org}",
        "{server: https://a.org, email: nobody}",
        "{server: https://a.org, ca: no certificate}",
        "{server: https://a.org, key: x}",
    ],
)
def test_an_issuer_is_an_address_somebody_to_warn_and_whom_to_trust(
    load: Load, faults: Faults, good: dict[str, str], acme: str
) -> None:
    result = load({"cluster.yaml": good["cluster.yaml"] + f"spec: {{acme: {acme}}}\n"})
    assert isinstance(result, Rejected)
    assert all(" /spec/acme" in fault for fault in faults(result))


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (f"'admin:{BCRYPT}'", ""),
        (f"'admin:$6$salt${'a' * 86}'", ""),
        ("'admin:$apr1$abcdefgh$0123456789012345678901'", "Apache's MD5"),
        ("'admin:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='", "SHA-1"),
        ("'admin:secret'", "no hash"),
        (f"'admin:$6$rounds=999999$salt${'a' * 86}'", "100,000 rounds"),
        (f"'ad min:{BCRYPT}'", "line 1"),
        (f'"admin:{BCRYPT}\\nadmin:{BCRYPT}"', "line 2"),
        (f'"\\nx insecure-password y:{BCRYPT}"', "line 2"),
        ("''", "no user"),
    ],
)
def test_passwords_are_hashes_that_haproxy_can_check(load: Load, held: str, expected: str) -> None:
    files = {"i.yaml": annotated(auth_secret="site"), "site.yaml": SITE.replace("HELD", held)}
    result = load(files)
    if expected:
        (problem,) = result.problems
        assert problem.code == "invalid-users"
        assert expected in problem.message
        assert "0123456789" not in problem.message
    else:
        assert isinstance(result, Desired)


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ({"timeout_connect": "500ms"}, {"timeout_connect": 500}),
        (
            {"timeout_server": "2m", "timeout_tunnel": "24h"},
            {"timeout_server": 120_000, "timeout_tunnel": 86_400_000},
        ),
        ({"body_size": "8Mi"}, {"body_size": 8 << 20}),
        ({"body_size": "0"}, {"body_size": 0}),
        ({"balance": "leastconn"}, {"balance": "leastconn"}),
        ({"backend_protocol": "h2c"}, {"backend_protocol": "h2c"}),
        ({"affinity": "cookie"}, {"affinity_cookie": "INGRESSCOOKIE"}),
        ({"affinity": "cookie", "affinity_cookie_name": "SHOP"}, {"affinity_cookie": "SHOP"}),
        ({"rate_limit": "50", "rate_limit_period": "10s"}, {"rate_limit": 50, "rate_period": 10_000}),
        ({"allow_list": "10.0.0.0/8, 192.0.2.7"}, {"allow": ("10.0.0.0/8", "192.0.2.7/32")}),
        ({"auth_secret": "site", "auth_realm": "Staff only"}, {"auth_secret": "site", "auth_realm": "Staff only"}),
        ({"ssl_redirect": "false"}, {"ssl_redirect": False}),
        ({"acme": "false"}, {}),
        ({"canary": "false", "canary_weight": "5"}, {}),
        ({"canary": "true", "canary_weight": "5"}, {"canary": Canary(weight=5)}),
        (
            {
                "canary": "true",
                "canary_by_header": "X-New",
                "canary_by_header_value": "yes",
                "canary_by_cookie": "new",
            },
            {"canary": Canary(header="X-New", header_value="yes", cookie="new")},
        ),
    ],
)
def test_an_annotation_is_a_typed_option(load: Load, notes: dict[str, str], expected: dict[str, Any]) -> None:
    assert options(load, notes) == IngressOptions(**expected)


@pytest.mark.parametrize(
    "notes",
    [
        {"timeout_connect": "5"},
        {"timeout_server": "25h"},
        {"timeout_server": "0s"},
        {"timeout_server": "1d"},
        {"body_size": "8m"},
        {"body_size": "-1"},
        {"balance": "first"},
        {"balance": "roundrobin\\n    server x 192.0.2.1:80"},
        {"affinity": "yes"},
        {"affinity": "cookie", "affinity_cookie_name": "a b"},
        {"affinity": "cookie", "affinity_cookie_name": ""},
        {"rate_limit": "0"},
        {"rate_limit": "1", "rate_limit_period": "1ms"},
        {"allow_list": "10.0.0.1/8"},
        {"allow_list": ""},
        {"allow_list": "10.0.0.0/8 or TRUE"},
        {"auth_secret": "site", "auth_realm": 'x\\" if TRUE'},
        {"auth_secret": "site", "auth_realm": " "},
        {"auth_secret": "site\\nx"},
        {"ssl_redirect": "yes"},
        {"acme": "https://acme.example.org"},
        {"canary": "true", "canary_weight": "101"},
        {"canary": "true", "canary_by_header": "X New"},
        {"canary": "true", "canary_by_header": "X", "canary_by_header_value": "%[env(HOME)]"},
        {"canary": "true", "canary_by_cookie": "a;b"},
        {"canary": "true"},
        {"canary_weight": "5"},
        {"affinity_cookie_name": "SHOP"},
        {"rate_limit_period": "1s"},
        {"auth_realm": "Staff"},
        {"timeout_client": "5s"},
    ],
)
def test_any_other_value_is_refused(load: Load, notes: dict[str, str]) -> None:
    result = load({"i.yaml": annotated(**notes), "site.yaml": SITE.replace("HELD", f"'admin:{BCRYPT}'")})
    assert isinstance(result, Rejected)
    assert {problem.code for problem in result.problems} == {"invalid-annotation"}


def test_a_size_and_a_stream_exclude_each_other(load: Load, faults: Faults) -> None:
    at = "i.yaml:6:5 /metadata/annotations/reconciler.dev~1body-size"
    assert faults(load({"i.yaml": annotated(body_size="1M", backend_protocol="h2c")})) == [
        f"{at} conflicting-fields"
    ]


def test_what_a_canary_cannot_set_is_a_warning(load: Load, faults: Faults) -> None:
    result = load({"i.yaml": annotated(canary="true", canary_weight="5", balance="source")})
    assert isinstance(result, Desired)
    assert faults(result) == ["i.yaml:8:5 /metadata/annotations/reconciler.dev~1balance ignored-field"]


def noted(*notes: str) -> str:
    lines = "".join(f"    {note}\n" for note in notes)
    return INGRESS.replace("  name: web\n", f"  name: web\n  annotations:\n{lines}", 1)


@pytest.mark.parametrize(
    ("note", "ours"),
    [
        ("nginx.ingress.kubernetes.io/proxy-body-size: 8m", "reconciler.dev/body-size"),
        ("nginx.ingress.kubernetes.io/enable-cors: 'true'", "nothing like it"),
        ("haproxy.org/timeout-server: 5s", "reconciler.dev/timeout-server"),
        ("haproxy.org/rate-limit-requests: '5'", "reconciler.dev/rate-limit"),
        ("haproxy.com/load-balance: leastconn", "reconciler.dev/balance"),
        ("haproxy-ingress.github.io/balance-algorithm: leastconn", "reconciler.dev/balance"),
        ("haproxy-ingress.github.io/limit-whitelist: 10.0.0.0/8", "nothing like it"),
        ("ingress.kubernetes.io/ssl-redirect: 'false'", "reconciler.dev/ssl-redirect"),
    ],
)
def test_another_controllers_annotation_is_a_warning_that_names_ours(load: Load, note: str, ours: str) -> None:
    result = load({"i.yaml": noted(note)})
    assert isinstance(result, Desired)
    (problem,) = result.warnings
    assert problem.code == "ignored-field"
    assert ours in problem.fix


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("nginx.ingress.kubernetes.io/whitelist-source-range", "write reconciler.dev/allow-list"),
        ("nginx.ingress.kubernetes.io/denylist-source-range", "reconciler.dev/allow-list, auth-secret"),
        ("nginx.ingress.kubernetes.io/auth-type", "write reconciler.dev/auth-secret"),
        ("nginx.ingress.kubernetes.io/auth-url", "reconciler.dev/allow-list, auth-secret"),
        ("nginx.ingress.kubernetes.io/auth-tls-secret", "reconciler.dev/allow-list, auth-secret"),
        ("haproxy.org/allow-list", "write reconciler.dev/allow-list"),
        ("haproxy.org/whitelist", "write reconciler.dev/allow-list"),
        ("haproxy.org/blacklist", "reconciler.dev/allow-list, auth-secret"),
        ("haproxy.org/auth-type", "write reconciler.dev/auth-secret"),
        ("haproxy.org/auth-secret", "write reconciler.dev/auth-secret"),
        ("haproxy.com/deny-list", "reconciler.dev/allow-list, auth-secret"),
        ("haproxy-ingress.github.io/allowlist-source-range", "write reconciler.dev/allow-list"),
        ("ingress.kubernetes.io/auth-secret", "write reconciler.dev/auth-secret"),
    ],
)
@pytest.mark.parametrize("class_name", ["", "haproxy"])
def test_who_is_to_be_kept_away_is_not_served(load: Load, class_name: str, name: str, ours: str) -> None:
    text = noted(f"{name}: x").replace(
        "spec:\n", f"spec:\n  ingressClassName: {class_name}\n" if class_name else "spec:\n", 1
    )
    result = load({"i.yaml": text})
    assert isinstance(result, Rejected)
    (problem,) = result.problems
    assert problem.code == "refused-field"
    assert ours in problem.fix


def test_who_is_kept_away_by_ours_may_be_kept_away_elsewhere_too(load: Load) -> None:
    result = load({"i.yaml": noted("haproxy.org/allow-list: 10.0.0.0/8", "reconciler.dev/allow-list: 10.0.0.0/8")})
    assert isinstance(result, Desired)
    assert [problem.code for problem in result.warnings] == ["ignored-field"]
    other = load({"i.yaml": noted("haproxy.org/auth-type: basic-auth", "reconciler.dev/allow-list: 10.0.0.0/8")})
    assert isinstance(other, Rejected)


def test_a_canary_is_guarded_as_what_it_takes_traffic_from(load: Load) -> None:
    canary = ("reconciler.dev/canary: 'true'", "reconciler.dev/canary-weight: '5'")
    result = load({"i.yaml": noted("nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8", *canary)})
    assert isinstance(result, Desired)
    assert [problem.code for problem in result.warnings] == ["ignored-field"]


@pytest.mark.rule(4)
@pytest.mark.parametrize(
    "name",
    [
        "nginx.ingress.kubernetes.io/configuration-snippet",
        "nginx.ingress.kubernetes.io/server-snippet",
        "nginx.ingress.kubernetes.io/auth-snippet",
        "haproxy.org/backend-config-snippet",
        "haproxy-ingress.github.io/config-backend",
        "ingress.kubernetes.io/config-backend",
    ],
)
def test_a_raw_snippet_is_refused(load: Load, name: str) -> None:
    result = load({"i.yaml": noted(f"{name}: deny all;")})
    assert isinstance(result, Rejected)
    assert [problem.code for problem in result.problems] == ["refused-field"]


@pytest.mark.parametrize("name", ["reconciler", "haproxy", "nginx"])
@pytest.mark.parametrize("old", [False, True])
def test_the_class_says_whose_it_is(load: Load, faults: Faults, name: str, old: bool) -> None:
    text = INGRESS.replace("name: web, port", "name: nothing, port") if name == "nginx" else INGRESS
    if old:
        annotation = f"  name: web\n  annotations:\n    kubernetes.io/ingress.class: {name}\n"
        text = text.replace("  name: web\n", annotation, 1)
    else:
        text = text.replace("spec:\n", f"spec:\n  ingressClassName: {name}\n", 1)
    result = load({"i.yaml": text})
    assert isinstance(result, Desired)
    assert [problem.code for problem in result.warnings] == (["not-ours"] if name == "nginx" else [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("path: /\n", "path: /api(/|$)(.*)\n"),
        ("pathType: Prefix", "pathType: Regex"),
        ("host: shop.example.org", "host: '*'"),
        ("backend: {service: {name: web, port: {number: 80}}}", "backend: {resource: {kind: Bucket, name: a}}"),
        ("rules:", "rulez:"),
        (
            "  name: web\n",
            "  name: web\n  annotations: {reconciler.dev/allow-list: all, reconciler.dev/none: x}\n",
        ),
        ("  name: web\n", "  name: web\n  annotations: {haproxy.org/allow-list: 10.0.0.0/8}\n"),
    ],
)
def test_what_is_left_to_another_controller_may_be_of_its_kind(
    load: Load, faults: Faults, old: str, new: str
) -> None:
    text = INGRESS.replace("spec:\n", "spec:\n  ingressClassName: nginx\n", 1)
    assert old in text
    result = load({"i.yaml": text.replace(old, new, 1)})
    assert isinstance(result, Desired)
    assert [problem.code for problem in result.warnings] == ["not-ours"]


@pytest.mark.parametrize("spec", ["", "spec:\n", "spec: 1\n", "spec: {ingressClassName: ''}\n"])
def test_the_old_annotation_leaves_it_to_another_controller_too(load: Load, spec: str) -> None:
    note = "  name: web\n  annotations: {kubernetes.io/ingress.class: traefik}\n"
    result = load({"i.yaml": INGRESS.replace("  name: web\n", note, 1).partition("spec:")[0] + spec})
    assert isinstance(result, Desired)
    assert [problem.code for problem in result.warnings] == ["not-ours"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("  name: web\n", "  name: web\n  namespace: nowhere\n", "unknown-namespace"),
        ("  name: web\n", "  name: Web\n", "invalid-value"),
        ("ingressClassName: nginx", "ingressClassName: 7", "wrong-type"),
        ("ingressClassName: nginx", "ingressClassName: Nginx", "invalid-value"),
        ("networking.k8s.io/v1", "extensions/v1beta1", "wrong-api-version"),
    ],
)
def test_its_name_and_its_class_are_looked_at_all_the_same(load: Load, old: str, new: str, code: str) -> None:
    text = INGRESS.replace("spec:\n", "spec:\n  ingressClassName: nginx\n", 1)
    result = load({"i.yaml": text.replace(old, new, 1)})
    assert isinstance(result, Rejected)
    assert [problem.code for problem in result.problems if problem.severity == "error"] == [code]


def test_a_class_is_named_once(load: Load, faults: Faults) -> None:
    text = INGRESS.replace(
        "  name: web\n", "  name: web\n  annotations: {kubernetes.io/ingress.class: haproxy}\n", 1
    )
    text = text.replace("spec:\n", "spec:\n  ingressClassName: haproxy\n", 1)
    assert faults(load({"i.yaml": text})) == [
        "i.yaml:5:17 /metadata/annotations/kubernetes.io~1ingress.class conflicting-fields"
    ]


def test_a_class_is_no_object_here(load: Load) -> None:
    text = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: haproxy}\n"
    (problem,) = load({"c.yaml": text}).problems
    assert problem.code == "unknown-kind"
    assert "reconciler or haproxy" in problem.fix


def test_an_annotation_of_an_ingress_stands_on_an_ingress(changed: Load) -> None:
    note = "name: web\n  annotations: {reconciler.dev/allow-list: 192.0.2.0/24}"
    (problem,) = changed("web-service.yaml", "name: web", note).problems
    assert problem.message == "reconciler.dev/allow-list belongs on an Ingress"


def test_every_annotation_of_an_ingress_is_in_the_reference() -> None:
    text = (Path(__file__).parents[3] / "docs/reference/manifests.md").read_text()
    assert [name for name in SETTINGS if f"`{name}`" not in text] == []


def test_a_certificate_with_the_key_of_another_is_refused_where_an_ingress_names_it(
    load: Load, faults: Faults
) -> None:
    (chain, key), (_, other) = signed("shop.example.org"), signed("shop.example.org")
    encrypted = INGRESS + "  tls: [{hosts: [shop.example.org], secretName: site}]\n"

    def site(key: str) -> str:
        data = {"tls.crt": chain, "tls.key": key}
        return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "site"}, "stringData": data})

    assert faults(load({"i.yaml": encrypted, "site.yaml": site(key)})) == []
    result = load({"i.yaml": encrypted, "site.yaml": site(other)})
    assert faults(result) == ["i.yaml:13:49 /spec/tls/0/secretName other-key"]
    assert "tls.key is not the key" in result.problems[0].message
    assert other.splitlines()[1] not in f"{result.problems}"
    assert isinstance(load({"site.yaml": site(other)}), Desired)
