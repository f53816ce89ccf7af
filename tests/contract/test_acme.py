"""The client against a server that checks what it is sent, with a real HAProxy that answers the challenges."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from reconciler.acme.client import new_account, obtain
from reconciler.model.acme import Acme, AcmeAccount, IssuedCertificate, Order, WantedCertificate
from reconciler.model.names import Ref
from reconciler.model.tls import read_certificate
from reconciler.services.acme import Challenges
from tests.acme_server import AcmeServer, acme_server
from tests.certificates import secret
from tests.ingress_oracle import ingress, rule
from tests.ingress_site import serving

HOSTS = ("a.org", "www.a.org")


@pytest.fixture(scope="module")
def account() -> AcmeAccount:
    return new_account()


@pytest.fixture
def server(account: AcmeAccount) -> Iterator[AcmeServer]:
    """Every host is answered for by one HAProxy, which knows the hosts of `HOSTS` as ours."""
    site = ingress("entry", rule("a.org", ("Prefix", "/", "a")), rule("b.org", ("Prefix", "/", "b")))
    with (
        serving(site, challenges=Challenges(account.thumbprint, HOSTS)) as behind,
        acme_server(lambda _: ("127.0.0.1", behind.plain)) as server,
    ):
        yield server


def order(server: AcmeServer, account: AcmeAccount, *names: str, ca: str | None = None) -> Order:
    terms = Acme(server.directory, "ops@example.org", server.ca if ca is None else ca)
    wanted = WantedCertificate(names, (Ref("Ingress", "shop", "entry"),))
    return Order(Ref("Secret", "shop", "site"), wanted, terms, account)


def test_a_certificate_is_issued_for_hosts_that_the_proxy_answers_for(
    server: AcmeServer, account: AcmeAccount
) -> None:
    issued = obtain(order(server, account, *HOSTS))
    assert isinstance(issued, IssuedCertificate), issued
    assert (issued.names, issued.server) == (HOSTS, server.directory)
    read = read_certificate(secret("site", issued.chain.reveal(), issued.key.reveal()))
    assert not isinstance(read, str), read
    assert set(read.names) == set(HOSTS)
    assert (read.not_before, read.not_after) == (issued.not_before, issued.not_after)
    assert [each["contact"] for each in server.accounts.values()] == [["mailto:ops@example.org"]]


def test_the_account_is_found_again_and_every_certificate_has_a_key_of_its_own(
    server: AcmeServer, account: AcmeAccount
) -> None:
    first, second = (obtain(order(server, account, "a.org")) for _ in range(2))
    assert isinstance(first, IssuedCertificate)
    assert isinstance(second, IssuedCertificate)
    assert first.key != second.key
    assert len(server.accounts) == 1


def test_a_host_that_does_not_answer_for_us_is_named_with_what_the_server_saw(
    server: AcmeServer, account: AcmeAccount
) -> None:
    refused = obtain(order(server, account, "a.org", "b.org"))
    assert isinstance(refused, str)
    assert "could not see that b.org is ours: the answer of b.org was" in refused
    assert "a.org was" not in refused


def test_another_account_cannot_have_a_certificate_for_our_hosts(server: AcmeServer) -> None:
    assert "could not see that a.org is ours" in str(obtain(order(server, new_account(), "a.org")))


def test_a_refusal_of_the_whole_order_is_told_in_the_servers_words(
    server: AcmeServer, account: AcmeAccount
) -> None:
    refused = obtain(order(server, account, "shop.forbidden.org"))
    assert refused == f"{server.directory} refuses: no certificates for forbidden.org"


def test_a_server_whose_certificate_nobody_vouches_for_is_not_spoken_to(
    server: AcmeServer, account: AcmeAccount
) -> None:
    assert "cannot be reached" in str(obtain(order(server, account, "a.org", ca="")))
    assert not server.accounts


def test_a_server_that_is_not_there_is_named(server: AcmeServer, account: AcmeAccount) -> None:
    placed = order(server, account, "a.org")
    nowhere = replace(placed, terms=replace(placed.terms, server="https://127.0.0.1:1/directory"))
    assert str(obtain(nowhere)).startswith("https://127.0.0.1:1/directory cannot be reached")
