"""HAProxy itself routes as upstream's rules have it, and keeps what the annotations promise."""

import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model.api.core.config import Secret
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.api.networking import Ingress, IngressTLS, PathType
from reconciler.model.ingress_options import Canary
from reconciler.model.secrets import SecretText
from tests.certificates import rsa_key, secret, signed
from tests.haproxy_process import Client
from tests.ingress_oracle import Request, answer, ingress, rule
from tests.ingress_site import Site, rendered, serving
from tests.properties.test_ingress_routes import ingresses, slashed

HOST = "shop.example.org"
ROOT = rule(HOST, ("Prefix", "/", "a"))

asked = st.lists(
    st.builds(
        Request,
        host=st.sampled_from(["a.org", "b.org", "x.a.org", "y.a.org", "z.y.a.org", "c.com", "org", ""]),
        path=slashed,
    ),
    min_size=5,
    max_size=20,
)


@given(ingresses(), asked)
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
def test_a_request_goes_where_upstream_sends_it(by_age: list[Ingress], requests: list[Request]) -> None:
    certain = [one for one in by_age if one.options.canary is None]  # a canary is a matter of chance
    if not rendered(certain, 1).text:
        return
    with serving(*certain) as site, Client(site.plain) as client:
        for request in requests:
            expected = answer(certain, request)
            status, text, _ = client.get(request.host, request.path)
            assert (status, text.partition(" ")[0]) == ((200, expected.service) if expected else (404, "404"))


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("SHOP.example.org", "/", "a"),
        ("shop.example.org.", "/", "a"),
        ("shop.example.org:8080", "/", "a"),
        ("shop.example.org", "/adm%69n", "b"),
        ("shop.example.org", "//admin", "b"),
        ("shop.example.org", "/x//../admin", "400"),
        ("shop.example.org", "/%2e%2e/admin", "400"),
        ("shop.example.org", "/x/..;/admin", "400"),
        ("shop.example.org", "/./admin", "400"),
        ("shop.example.org", "/admin/..", "400"),
        ("shop.example.org", "/admin%00", "400"),
        ("shop.example.org", "/admin%0d%0a", "400"),
        ("shop.example.org", "/admin/%", "400"),
        ("shop.example.org", "/admin/%zz", "400"),
        ("shop.example.org", "/x/../admin%2", "400"),
        ("shop.example.org", "*", "400"),
        ("shop.example.org", "/admin;x", "400"),
        ("shop.example.org", "/admin%3bx", "400"),
        ("shop.example.org", "/admin;x/y", "400"),
        ("shop.example.org", "/;/admin", "400"),
        ("shop.example.org", "/admin%3fx", "400"),
        ("shop.example.org", "/admin%23x", "400"),
        ("shop.example.org", "/\\admin", "400"),
        ("shop.example.org", "/%5cadmin", "400"),
        ("shop.example.org", "/admin\\x", "400"),
        ("shop.example.org", "/x\\..\\admin", "400"),
        ("shop.example.org", "/admin%2f..", "400"),
        ("shop.example.org", "/%2561dmin", "400"),
        ("shop.example.org", "/x%252f..%252fadmin", "400"),
        ("shop.example.org", "/%2525252e/admin", "400"),
        ("shop.example.org", "/%c0%afadmin", "400"),
        ("shop.example.org", "/login;x", "400"),
        ("shop.example.org", "/login", "b"),
        ("shop.example.org", "/admin%2fx", "b"),
        ("shop.example.org", "/admin/x;y=1/z%5c", "b"),
        ("shop.example.org", "/shop;v=1/x;y", "a"),
        ("shop.example.org", "/a%20b/100%25/c%5cd", "a"),
        ("shop.example.org", "/job/feature%252Fnew", "a"),
        ("shop.example.org", "/caf%c3%a9", "a"),
        ("shop.example.org", "/m;n", "b"),
        ("shop.example.org", "/..admin", "a"),
        ("shop.example.org", "/?/admin", "a"),
        ("shop.example.org@evil.org", "/", "404"),
        ("", "/", "404"),
    ],
)
def test_a_host_and_a_path_are_read_as_a_pod_would_read_them(host: str, path: str, expected: str) -> None:
    ways: list[tuple[PathType, str, str]] = [("Prefix", "/", "a"), ("Prefix", "/admin", "b")]
    one = ingress("shop", rule(HOST, *ways, ("Exact", "/login", "b"), ("Prefix", "/m;n", "b")))
    with serving(one) as site, Client(site.plain) as client:
        status, text, _ = client.get(host, path)
        assert expected in (str(status), text.partition(" ")[0])


def test_pods_are_told_of_the_client_and_not_by_the_client() -> None:
    forged = {"X-Forwarded-For": "192.0.2.66", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.org"}
    with serving(ingress("shop", ROOT)) as site, Client(site.plain) as client:
        _, text, _ = client.get(HOST, "/x%20y", forged)
        assert text == f"a 127.0.0.1 http {HOST} 1.1 /x%20y"


@pytest.mark.parametrize(
    ("part", "headers", "cookie", "expected"),
    [
        (Canary(header="X-New"), {"X-New": "always"}, "", "b"),
        (Canary(header="X-New", weight=100), {"X-New": "never"}, "", "a"),
        (Canary(header="X-New"), {"X-New": "maybe"}, "", "a"),
        (Canary(header="X-New", weight=100), {"X-New": "maybe"}, "", "b"),
        (Canary(header="X-New", header_value="-f"), {"X-New": "-f"}, "", "b"),
        (Canary(header="X-New", header_value="yes"), {"X-New": "always"}, "", "a"),
        (Canary(cookie="new"), {}, "always", "b"),
        (Canary(cookie="new", weight=100), {}, "never", "a"),
        (Canary(header="X-New", cookie="new"), {"X-New": "never"}, "always", "a"),
        (Canary(header="X-New", cookie="new"), {"X-New": "always"}, "never", "b"),
        (Canary(weight=100), {}, "", "b"),
        (Canary(header="X-New"), {}, "", "a"),
    ],
)
def test_a_canary_takes_its_part(part: Canary, headers: Mapping[str, str], cookie: str, expected: str) -> None:
    canary = ingress("new", rule(HOST, ("Prefix", "/", "b")), canary=part)
    sent = {**headers, **({"Cookie": f"x=1; new={cookie}"} if cookie else {})}
    with serving(ingress("shop", ROOT), canary) as site, Client(site.plain) as client:
        _, text, _ = client.get(HOST, "/", sent)
        assert text.partition(" ")[0] == expected
        asked = Request(HOST, "/", {name.lower(): value for name, value in headers.items()}, {"new": cookie})
        judged = answer([ingress("shop", ROOT), canary], asked._replace(dice=50))
        assert judged is not None
        assert judged.service == expected


def test_chance_gives_a_canary_about_its_weight() -> None:
    canary = ingress("new", rule(HOST, ("Prefix", "/", "b")), canary=Canary(weight=30))
    with serving(ingress("shop", ROOT), canary) as site, Client(site.plain) as client:
        taken = sum(client.get(HOST, "/")[1].startswith("b") for _ in range(500))
        assert 50 < taken < 250


def test_the_settings_of_an_ingress_hold_for_its_canary_too() -> None:
    canary = ingress("new", rule(HOST, ("Prefix", "/", "b")), canary=Canary(weight=100))
    with serving(ingress("shop", ROOT, allow=("192.0.2.0/24",)), canary) as site, Client(site.plain) as client:
        assert client.get(HOST, "/")[0] == 403


def test_an_allow_list_lets_only_its_networks_in() -> None:
    allowed = ingress(
        "in", rule("in.org", ("Prefix", "/", "a")), allow=("192.0.2.0/24", "127.0.0.0/8", "2001:db8::/32")
    )
    refused = ingress("out", rule("out.org", ("Prefix", "/", "a")), allow=("192.0.2.0/24",))
    with serving(allowed, refused) as site, Client(site.plain) as client:
        assert (client.get("in.org", "/")[0], client.get("out.org", "/")[0]) == (200, 403)


def test_a_client_that_asks_too_often_is_held_off_and_nobody_elses_site_is() -> None:
    limited = ingress(
        "shop", rule(HOST, ("Prefix", "/", "a"), ("Prefix", "/b", "b")), rate_limit=5, rate_period=3_600_000
    )
    other = ingress("other", rule("other.org", ("Prefix", "/", "a")))
    with serving(limited, other) as site, Client(site.plain) as client:
        answers = [client.get(HOST, "/" if number % 2 else "/b")[0] for number in range(7)]
        assert answers == [200] * 5 + [429] * 2
        assert client.get("other.org", "/")[0] == 200


def test_a_body_that_is_too_large_or_does_not_tell_its_size_is_refused() -> None:
    chunked = {"Transfer-Encoding": "chunked"}
    with serving(ingress("shop", ROOT, body_size=10)) as site:
        for method, headers, body, expected in (
            ("POST", {"Content-Length": "10"}, b"x" * 10, 200),
            ("POST", {"Content-Length": "11"}, b"x" * 11, 413),
            ("GET", {"Content-Length": "11"}, b"x" * 11, 413),
            ("POST", chunked, b"5\r\nhello\r\n0\r\n\r\n", 411),
            ("GET", chunked, b"5\r\nhello\r\n0\r\n\r\n", 411),
            ("POST", {}, b"", 200),
            ("POST", chunked, b"0\r\n\r\n", 200),
            ("GET", {}, b"", 200),
        ):
            with Client(site.plain) as client:
                assert client.get(HOST, "/", headers, method, body)[0] == expected, (method, headers)


def test_a_body_over_http_2_that_does_not_tell_its_size_is_refused() -> None:
    one = ingress("shop", ROOT, tls=[IngressTLS((HOST,), "own")], body_size=10)
    with serving(one, secrets=(secret("own", *signed(HOST)),)) as site:
        for more, body, expected in (
            (["-X", "GET", "-T", "-"], "hello", ("411", "000")),
            (["-X", "POST", "-T", "-"], "hello", ("411", "000")),
            (["-d", "hello"], "", ("200",)),
            (["-d", "hello hello"], "", ("413", "000")),
            ([], "", ("200",)),
        ):
            found = curl(site, HOST, *more, "-o", "/dev/null", "-w", "%{http_code}", body=body)
            assert found in expected, f"{more}: curl says 000 where the stream ends before it has sent everything"


def curl(site: Site, host: str, *more: str, body: str = "") -> str:
    """Over HTTP/2 and TLS."""
    where = ["--resolve", f"{host}:{site.secure}:127.0.0.1", f"https://{host}:{site.secure}/"]
    command = ["curl", "-sk", "--http2", "--noproxy", "*", *more, *where]
    return subprocess.run(command, input=body, capture_output=True, text=True, timeout=20, check=False).stdout


BCRYPT = "$04$HPK9PPgu9d1CfL/pPcwME.Z4g9W9D0VLvqBh/18TvLQZHio5JtLN6"
HASHES = (
    f"$2b{BCRYPT}",
    f"$2y{BCRYPT}",
    "$5$saltsalt$bzwDEsDTjsQEZfriU/PmpIczsdZAgt64mFd8n9.JN9D",
    "$6$saltsalt$9RCzQpw081WGeK3mcWoX80W9GPZfKv49diTYqxkySopsNM50xSTDBTpgGXEQIrMuxjvAnmOnyTpa46zqy.fYR1",
)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def test_a_password_of_every_accepted_hash_opens_the_door_and_no_other_does() -> None:
    lines = "\n".join(f"user{number}:{hashed}" for number, hashed in enumerate(HASHES))
    users = Secret(ObjectMeta("users", "shop"), {"auth": SecretText(lines)})
    guarded = ingress("shop", ROOT, auth_secret="users", auth_realm="Staff only")
    with serving(guarded, secrets=(users,)) as site, Client(site.plain) as client:
        for number in range(len(HASHES)):
            assert client.get(HOST, "/", basic(f"user{number}", "s3cr3t"))[0] == 200
            assert client.get(HOST, "/", basic(f"user{number}", "secret"))[0] == 401
        status, _, headers = client.get(HOST, "/", basic("nobody", "s3cr3t"))
        assert (status, headers["www-authenticate"]) == (401, 'Basic realm="Staff only"')
        assert HASHES[0] not in repr(site.sections)


@pytest.mark.parametrize("held", [None, "admin:plain"])
def test_without_a_list_of_users_nobody_gets_in(held: str | None) -> None:
    users = Secret(ObjectMeta("users", "shop"), {"auth": SecretText(held)} if held else {})
    with (
        serving(ingress("shop", ROOT, auth_secret="users"), secrets=(users,)) as site,
        Client(site.plain) as client,
    ):
        assert client.get(HOST, "/")[0] == client.get(HOST, "/", basic("admin", "plain"))[0] == 401
        assert bool(site.sections.problems) == bool(held)


def presented(client: Client) -> bytes:
    return client.tls.getpeercert(binary_form=True) or b""


def der(pem: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem)


def test_a_host_has_its_own_certificate_and_one_without_is_refused() -> None:
    own, wild = signed(HOST), signed("*.example.org")
    one = ingress(
        "shop",
        rule(HOST, ("Prefix", "/", "a")),
        rule("*.example.org", ("Prefix", "/", "b")),
        tls=[IngressTLS((HOST,), "own"), IngressTLS(("*.example.org",), "wild")],
    )
    with serving(one, secrets=(secret("own", *own), secret("wild", *wild))) as site:
        for host, pem, expected in ((HOST, own[0], "a"), ("www.example.org", wild[0], "b")):
            with Client(site.secure, tls=host, alpn=["http/1.1"]) as client:
                assert presented(client) == der(pem)
                assert client.get(host, "/")[1].split()[0::2][:2] == [expected, "https"]
            with Client(site.plain) as client:
                status, _, headers = client.get(host, "/x?y")
                assert (status, headers["location"]) == (308, f"https://{host}/x?y")
        for host in ("example.org", "a.b.example.org"):
            with pytest.raises(ssl.SSLError):
                Client(site.secure, tls=host)


def test_the_default_certificate_is_for_names_that_have_none() -> None:
    own, other = signed(HOST), signed(HOST, "default.invalid")
    one = ingress("shop", ROOT, tls=[IngressTLS((HOST,), "own")])
    fallback = SecretText("".join(other))
    with serving(one, secrets=(secret("own", *own),), default=fallback) as site:
        for host, pem in ((HOST, own[0]), ("www.example.org", other[0])):
            with Client(site.secure, tls=host) as client:
                assert presented(client) == der(pem)


def test_a_certificate_for_every_host_gives_way_to_one_that_is_for_a_host() -> None:
    own, every = signed(HOST), signed(HOST, "*.org")
    two = (
        ingress("all", default="b", tls=[IngressTLS((), "every")]),
        ingress("shop", ROOT, tls=[IngressTLS((HOST,), "own")]),
    )
    with serving(*two, secrets=(secret("own", *own), secret("every", *every))) as site:
        for host, pem, expected in (
            (HOST, own[0], "a"),
            ("example.org", every[0], "b"),
            ("else.com", every[0], "b"),
        ):
            with Client(site.secure, tls=host) as client:
                assert presented(client) == der(pem)
                assert client.get(host, "/")[1].startswith(expected)


def test_keys_of_every_accepted_kind_are_loaded() -> None:
    pairs = (
        signed("s0.org", key=rsa_key()),
        signed("s1.org", key=ec.generate_private_key(ec.SECP384R1())),
        signed("s2.org", key=ec.generate_private_key(ec.SECP521R1())),
    )
    held = [secret(f"s{number}", *pair) for number, pair in enumerate(pairs)]
    ruled = [rule(f"{one.metadata.name}.org", ("Prefix", "/", "a")) for one in held]
    tls = [IngressTLS((f"{one.metadata.name}.org",), one.metadata.name) for one in held]
    with serving(ingress("shop", *ruled, tls=tls), secrets=tuple(held)) as site:
        for one in held:
            with Client(site.secure, tls=f"{one.metadata.name}.org") as client:
                assert presented(client) == der(one.data["tls.crt"].reveal())


def test_plain_requests_stay_where_they_are_without_the_redirect() -> None:
    own = signed(HOST)
    one = ingress("shop", ROOT, tls=[IngressTLS((HOST,), "own")], ssl_redirect=False)
    with serving(one, secrets=(secret("own", *own),)) as site, Client(site.plain) as client:
        assert client.get(HOST, "/")[0] == 200


def test_http_2_from_the_client_reaches_pods_as_http_2_where_they_speak_it() -> None:
    own = signed(HOST, "api.example.org")
    tls = [IngressTLS((HOST, "api.example.org"), "own")]
    web = ingress("shop", ROOT, tls=tls)
    grpc = ingress("api", rule("api.example.org", ("Prefix", "/", "b")), tls=tls, backend_protocol="h2c")
    for host, words, expected in ((HOST, "", "1.1"), ("api.example.org", "proto h2", "2.0")):
        with serving(web, grpc, secrets=(secret("own", *own),), words=words) as site:
            assert curl(site, host, "-w", " HTTP/%{http_version}").split()[-3:] == [expected, "/", "HTTP/2"]


def test_a_websocket_is_passed_through_both_ways() -> None:
    lines = ("GET /ws HTTP/1.1", f"Host: {HOST}", "Connection: Upgrade", "Upgrade: websocket")
    key = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", "")
    with (
        echoing() as port,
        serving(ingress("shop", ROOT, timeout_tunnel=5000), at={"a": port}) as site,
        socket.create_connection(("127.0.0.1", site.plain), 10) as client,
    ):
        client.sendall("\r\n".join((*lines, *key)).encode())
        assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
        for text in (b"ping", b"pong"):
            client.sendall(text)
            assert client.recv(4096) == text


@contextmanager
def echoing() -> Iterator[int]:
    """A server that takes one WebSocket and says again what it hears."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
            accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
            connection.sendall("\r\n".join((*lines, accept, "", "")).encode())
            while text := connection.recv(65536):
                connection.sendall(text)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(5)
        listener.close()


def test_a_client_with_a_cookie_stays_with_its_pod() -> None:
    sticky = ingress("shop", ROOT, affinity_cookie="SHOP")
    with serving(sticky, also={"a": "b"}) as site, Client(site.plain) as client:
        assert {client.get(HOST, "/")[1].partition(" ")[0] for _ in range(4)} == {"a", "b"}
        _, _, headers = client.get(HOST, "/")
        cookie = headers["set-cookie"].partition(";")[0]
        assert cookie.startswith("SHOP=")
        assert "HttpOnly" in headers["set-cookie"]
        again = [client.get(HOST, "/", {"Cookie": cookie}) for _ in range(6)]
        assert len({text for _, text, _ in again}) == 1
        assert all("set-cookie" not in headers for *_, headers in again)


def test_a_site_whose_pods_are_gone_says_503_and_the_others_are_served() -> None:
    gone = ingress("gone", rule("gone.org", ("Prefix", "/", "c")))
    with serving(ingress("shop", ROOT), gone, at={"c": 0}) as site, Client(site.plain) as client:
        assert client.get("gone.org", "/")[0] == 503
        assert client.get(HOST, "/")[0] == 200
