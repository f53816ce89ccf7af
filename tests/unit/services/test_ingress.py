"""Routes: who answers for a host and path, and who does not get what it asks for."""

from collections.abc import Mapping

import pytest

from reconciler.model.api.core.service import Service, ServicePort, ServiceSpec
from reconciler.model.api.meta import ObjectMeta, ref_of
from reconciler.model.api.networking import Ingress, IngressTLS
from reconciler.model.ingress_options import Canary
from reconciler.model.memory import IngressRecord
from reconciler.model.names import Ref
from reconciler.services.ingress import IngressRoute, Routing, Target, covers, route
from tests.ingress_oracle import ingress, rule

HOST = "shop.example.org"


def services(*names: str, namespace: str = "shop") -> dict[Ref, Service]:
    spec = ServiceSpec(ports=(ServicePort(80, "http"),))
    return {Ref("Service", namespace, name): Service(ObjectMeta(name, namespace), spec) for name in names}


SERVICES = {**services("a", "b", "c"), **services("a", "b", namespace="blog")}


def routed(*by_age: Ingress, known: Mapping[Ref, Service] = SERVICES) -> Routing:
    """Given the youngest first: that must make no difference."""
    ingresses = {ref_of(one): one for one in reversed(by_age)}
    return route(ingresses, known, {ref_of(one): IngressRecord(turn) for turn, one in enumerate(by_age, start=1)})


def shown(routing: Routing) -> list[str]:
    """`host path -> service`, in the order in which they are looked at; `=` marks an exact path."""
    return [
        f"{one.host or '*'} {'=' if one.exact else ''}{one.path or '/'} -> {one.target.service.name}"
        for one in routing.routes
    ]


def test_the_order_is_exact_hosts_then_wildcards_then_none_and_the_longest_path_first() -> None:
    routing = routed(
        ingress("any", rule("", ("Prefix", "/", "a"))),
        ingress("wild", rule("*.example.org", ("Prefix", "/", "a"))),
        ingress(
            "shop",
            rule(
                HOST, ("Prefix", "/", "a"), ("Prefix", "/cart", "b"), ("Exact", "/cart", "c"), ("Exact", "/", "b")
            ),
            rule(HOST, ("ImplementationSpecific", "/cart/new/", "c")),
        ),
    )
    assert shown(routing) == [
        "shop.example.org /cart/new -> c",
        "shop.example.org =/cart -> c",
        "shop.example.org /cart -> b",
        "shop.example.org =/ -> b",
        "shop.example.org / -> a",
        "*.example.org / -> a",
        "* / -> a",
    ]
    assert routing.problems == ()


def test_of_two_that_claim_one_host_and_path_the_older_has_it_and_the_rest_of_the_other_is_served() -> None:
    routing = routed(
        ingress("old", rule(HOST, ("Prefix", "/api", "a"))),
        ingress("new", rule(HOST, ("Prefix", "/api/", "b"), ("Exact", "/api", "b"), ("Prefix", "/", "b"))),
    )
    assert shown(routing) == [f"{HOST} =/api -> b", f"{HOST} /api -> a", f"{HOST} / -> b"]
    assert routing.problems == (
        "Ingress shop/new does not get shop.example.org/api: Ingress shop/old had it first; remove it from one of "
        "the two",
    )


def test_of_two_that_came_together_the_first_by_name_has_it() -> None:
    two = [ingress("b", rule(HOST, ("Prefix", "/", "b"))), ingress("a", rule(HOST, ("Prefix", "/", "a")))]
    records = {ref_of(one): IngressRecord(1) for one in two}
    assert shown(route({ref_of(one): one for one in two}, SERVICES, records)) == [f"{HOST} / -> a"]


def test_one_that_is_not_remembered_is_the_youngest() -> None:
    old, new = ingress("old", rule(HOST, ("Prefix", "/", "a"))), ingress("new", rule(HOST, ("Prefix", "/", "b")))
    known = {ref_of(old): IngressRecord(7)}
    assert shown(route({ref_of(new): new, ref_of(old): old}, SERVICES, known)) == [f"{HOST} / -> a"]


def test_a_default_backend_has_what_no_path_of_its_hosts_matches() -> None:
    routing = routed(
        ingress("shop", rule(HOST, ("Prefix", "/api", "a")), rule("www.example.org"), default="b"),
        ingress("all", rule("www.example.org", ("Prefix", "/", "c"))),
    )
    assert shown(routing) == [f"{HOST} /api -> a", f"{HOST} / -> b", "www.example.org / -> c"]
    assert (routing.default, routing.problems) == (None, ())


def test_without_rules_it_has_what_nobodys_rules_match() -> None:
    routing = routed(ingress("first", default="a"), ingress("second", default="b"))
    assert routing.default is not None
    assert routing.default.service.name == "a"
    assert routing.problems == (
        "Ingress shop/second is not the default of all hosts: Ingress shop/first was first; remove one of the two",
    )


def test_an_ingress_of_another_class_is_not_looked_at() -> None:
    assert routed(ingress("other", rule(HOST, ("Prefix", "/", "nothing")), class_name="nginx")) == Routing()


def test_a_canary_takes_a_part_on_the_terms_of_what_it_takes_it_from() -> None:
    part = Canary(weight=10)
    routing = routed(
        ingress("canary", rule(HOST, ("Prefix", "/", "b")), canary=part, balance="source"),
        ingress("main", rule(HOST, ("Prefix", "/", "a"), ("Prefix", "/x", "a")), allow=("10.0.0.0/8",)),
    )
    other, whole = routing.routes
    assert other.canary is None
    assert whole.canary is not None
    assert whole.canary.part == part
    assert whole.target.service.name == "a"
    assert whole.canary.target.service.name == "b"
    assert whole.canary.target.ingress == whole.target.ingress == Ref("Ingress", "shop", "main")
    assert whole.canary.target.options == whole.target.options


def test_a_canary_of_nothing_of_another_namespace_or_a_second_one_is_a_problem() -> None:
    main = ingress("main", rule(HOST, ("Prefix", "/", "a")))
    part = Canary(weight=10)
    alone = routed(ingress("canary", rule(HOST, ("Prefix", "/", "b")), canary=part))
    assert (shown(alone), len(alone.problems)) == ([], 1)
    foreign = routed(main, ingress("canary", rule(HOST, ("Prefix", "/", "b")), canary=part, namespace="blog"))
    assert foreign.routes[0].canary is None
    assert "canary of nothing" in foreign.problems[0]
    two = routed(main, *(ingress(name, rule(HOST, ("Prefix", "/", "b")), canary=part) for name in ("x", "y")))
    assert two.routes[0].canary is not None
    assert two.problems == (
        "Ingress shop/y takes no traffic of shop.example.org/: there is another canary; remove one of the two",
    )


@pytest.mark.parametrize(
    ("tls", "redirect", "expected"),
    [
        ([IngressTLS((HOST,))], True, True),
        ([IngressTLS()], True, True),
        ([IngressTLS(("*.example.org",))], True, True),
        ([IngressTLS(("www.example.org",))], True, False),
        ([IngressTLS(("*.org",))], True, False),
        ([IngressTLS((HOST,))], False, False),
        ([], True, False),
    ],
)
def test_plain_requests_go_to_https_where_the_host_has_tls(
    tls: list[IngressTLS], redirect: bool, expected: bool
) -> None:
    (only,) = routed(ingress("shop", rule(HOST, ("Prefix", "/", "a")), tls=tls, ssl_redirect=redirect)).routes
    assert only.target.https_only is expected


def test_a_port_that_is_not_there_is_a_problem_of_its_path_alone() -> None:
    routing = routed(ingress("shop", rule(HOST, ("Prefix", "/", "a"), ("Prefix", "/x", "gone"))))
    assert shown(routing) == [f"{HOST} / -> a"]
    assert len(routing.problems) == 1


@pytest.mark.parametrize("path", ["/a b", "/a\n", '/"', "/a//b", "a", "/%41", "/é", "/a#b"])
def test_a_path_that_could_be_read_as_anything_else_is_no_route(path: str) -> None:
    with pytest.raises(ValueError, match="cannot be a path"):
        IngressRoute(HOST, path, True, Target(Ref("Ingress", "a", "a"), Ref("Service", "a", "a"), 0, "80"))


@pytest.mark.parametrize("host", ["a b", "a\n", "*", "*.*.org", "A.org", "a..org", ".org", "a_b", "a" * 300])
def test_a_host_that_could_be_read_as_anything_else_is_no_route(host: str) -> None:
    with pytest.raises(ValueError, match="cannot be a host"):
        IngressRoute(host, "", False, Target(Ref("Ingress", "a", "a"), Ref("Service", "a", "a"), 0, "80"))


def test_a_wildcard_is_one_label() -> None:
    assert covers("*.example.org", HOST)
    assert not covers("*.example.org", "example.org")
    assert not covers("*.example.org", "a.b.example.org")
