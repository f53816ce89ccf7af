"""Laws of routing: whatever Ingresses say, a request is answered as upstream's rules have it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.api.core.service import Service
from reconciler.model.api.meta import ref_of
from reconciler.model.api.networking import Ingress, PathType
from reconciler.model.ingress_options import Canary
from reconciler.model.memory import IngressRecord
from reconciler.model.names import Ref
from reconciler.services.ingress import Routing, Target, route
from tests.ingress_oracle import Answer, Request, answer, ingress, rule
from tests.unit.services.test_ingress import services

SERVICES: dict[Ref, Service] = {**services("a", "b", "c"), **services("a", "b", "c", namespace="blog")}

hosts = st.sampled_from(["", "a.org", "*.org", "x.a.org", "*.a.org", "b.org"])
paths = st.builds("/".join, st.lists(st.sampled_from(["x", "y", "xy"]), max_size=3)).map("/{}".format)
slashed = st.one_of(paths, paths.map(lambda path: path.rstrip("/") + "/"))
kinds: st.SearchStrategy[PathType] = st.sampled_from(["Exact", "Prefix", "ImplementationSpecific"])
names = st.sampled_from("abc")
rules = st.builds(
    lambda host, found: rule(host, *found),
    hosts,
    st.lists(st.tuples(kinds, slashed, names), min_size=1, max_size=3),
)


@st.composite
def ingresses(draw: st.DrawFn) -> list[Ingress]:
    """The oldest first."""
    made = []
    for name in draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)):
        canary = draw(st.sampled_from([None, None, None, Canary(weight=50)]))
        ruled = draw(st.lists(rules, min_size=1 if canary else 0, max_size=2))
        default = "" if canary or (ruled and draw(st.booleans())) else draw(names)
        namespace = draw(st.sampled_from(["shop", "shop", "blog"]))
        made.append(ingress(name, *ruled, default=default, namespace=namespace, canary=canary))
    return made


requests = st.builds(
    Request,
    host=st.sampled_from(["a.org", "b.org", "x.a.org", "y.a.org", "z.y.a.org", "c.com"]),
    path=slashed,
    dice=st.sampled_from([0, 99]),
)


def routed(by_age: list[Ingress]) -> Routing:
    records = {ref_of(one): IngressRecord(turn) for turn, one in enumerate(by_age)}
    return route({ref_of(one): one for one in by_age}, SERVICES, records)


def taken(routing: Routing, request: Request) -> Target | None:
    """The first route of the host that matches, as `Routing` promises."""
    claimed = {one.host for one in routing.routes}
    wildcard = "*." + request.host.partition(".")[2]
    host = next((host for host in (request.host, wildcard, "") if host in claimed), None)
    for one in routing.routes:
        below = f"{request.path}/".startswith(f"{one.path}/")
        if one.host == host and (one.path == request.path if one.exact else below):
            canary = one.canary if one.canary and request.dice < one.canary.part.weight else None
            return canary.target if canary else one.target
    return routing.default


@given(ingresses(), requests)
@settings(deadline=None, max_examples=400)
def test_a_request_goes_where_upstream_sends_it(by_age: list[Ingress], request: Request) -> None:
    target = taken(routed(by_age), request)
    found = target and Answer(f"{target.ingress.namespace}/{target.ingress.name}", target.service.name)
    assert found == answer(by_age, request)


@given(ingresses())
@settings(deadline=None)
def test_the_order_in_which_ingresses_are_read_changes_nothing(by_age: list[Ingress]) -> None:
    records = {ref_of(one): IngressRecord(turn) for turn, one in enumerate(by_age)}
    backwards = {ref_of(one): one for one in reversed(by_age)}
    assert route(backwards, SERVICES, records) == routed(by_age)


@given(ingresses())
@settings(deadline=None)
def test_every_host_and_path_is_somebodys_and_nobody_else_has_it(by_age: list[Ingress]) -> None:
    keys = [(one.host, one.path, one.exact) for one in routed(by_age).routes]
    assert len(keys) == len(set(keys))
