"""Which certificate a host gets, and what becomes of those that cannot be used."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec

from reconciler.model.api.core.config import Secret
from reconciler.model.api.meta import ref_of
from reconciler.model.api.networking import Ingress, IngressTLS
from reconciler.model.memory import IngressRecord
from reconciler.model.names import Ref
from reconciler.model.tls import TLSCertificate, read_certificate
from reconciler.services.certificates import Certificates, certificates
from tests.certificates import DAY, NOON, pem_of, rsa_key, secret, signed
from tests.ingress_oracle import ingress, rule

HOST = "shop.example.org"


def tls(name: str, secret_name: str, *hosts: str, namespace: str = "shop") -> Ingress:
    site = rule(HOST, ("Prefix", "/", "web"))
    return ingress(name, site, tls=[IngressTLS(hosts, secret_name)], namespace=namespace)


def chosen(by_age: list[Ingress], secrets: list[Secret], at: float = NOON) -> Certificates:
    records = {ref_of(one): IngressRecord(turn) for turn, one in enumerate(by_age)}
    return certificates(
        {ref_of(one): one for one in reversed(by_age)}, {ref_of(one): one for one in secrets}, records, at
    )


def names(found: Certificates) -> dict[str, str]:
    return {host: ref.name for host, ref in found.by_host.items()}


def test_a_host_has_the_certificate_of_its_ingress() -> None:
    found = chosen([tls("a", "site")], [secret("site", *signed(HOST))])
    assert (names(found), found.problems) == ({HOST: "site"}, {})
    pem = found.held[Ref("Secret", "shop", "site")].pem.reveal()
    assert pem.count("BEGIN CERTIFICATE") == pem.count("BEGIN PRIVATE KEY") == 1


def test_a_wildcard_and_a_common_name_are_names_too() -> None:
    found = chosen(
        [tls("a", "wild", HOST, "*.example.org"), tls("b", "plain", "www.example.org")],
        [secret("wild", *signed("*.example.org")), secret("plain", *signed(common_name="www.example.org"))],
    )
    assert names(found) == {HOST: "wild", "*.example.org": "wild", "www.example.org": "plain"}
    assert found.problems == {}


def test_an_ingress_without_hosts_has_the_certificate_for_every_other_name() -> None:
    every = ingress("a", default="web", tls=[IngressTLS((), "site")])
    assert names(chosen([every], [secret("site", *signed(HOST))])) == {"": "site"}


def test_the_older_ingress_decides_where_both_certificates_are_good() -> None:
    two = [secret("first", *signed(HOST)), secret("second", *signed(HOST))]
    assert names(chosen([tls("z", "first"), tls("a", "second")], two)) == {HOST: "first"}


def test_one_that_has_expired_makes_way_for_a_good_one_and_is_better_than_none() -> None:
    old, good = secret("old", *signed(HOST, end=NOON - 1)), secret("good", *signed(HOST))
    both = chosen([tls("a", "old"), tls("b", "good")], [old, good])
    alone = chosen([tls("a", "old")], [old])
    assert names(both) == {HOST: "good"}
    assert names(alone) == {HOST: "old"}
    expected = "Ingress shop/a: the certificate of Secret shop/old has expired; renew Secret shop/old"
    assert list(both.problems) == list(alone.problems) == [expected]
    assert chosen([tls("a", "old")], [old], NOON - 2).problems == {}


def test_one_of_the_future_or_of_another_host_is_a_problem() -> None:
    future = secret("site", *signed(HOST, start=NOON + 7200, end=NOON + DAY))
    (problem,) = chosen([tls("a", "site")], [future]).problems
    assert "not valid yet" in problem
    other = secret("site", *signed("www.example.org"))
    (problem,) = chosen([tls("a", "site")], [other]).problems
    assert f"is not for {HOST}" in problem


CHAIN, KEY = signed(HOST, key=ec.derive_private_key(7, ec.SECP256R1()))
SIGNED_WITH_SHA1 = """\
-----BEGIN CERTIFICATE-----
MIIBIjCBygIURjzAyUPfcasIowQHeGpq50nPJr0wCQYHKoZIzj0EATANMQswCQYD
VQQDDAJjYTAgFw0yNjExMjcwNjE4MjJaGA8yMDUxMDcxOTA2MTgyMlowGzEZMBcG
A1UEAwwQc2hvcC5leGFtcGxlLm9yZzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BCx6OBs6UaDI4gwKNkNXyopx20p/fOOuddwMKxtmW0acTtoEz2v8kgaHmKlOMD1o
BR6mf6HYE4i/NdhgLGRPlHswCQYHKoZIzj0EAQNIADBFAiEAyVT1NyC3ya2qG2OO
htd0sJpU+EvwupYyArcbiTrgWjcCIFJtBdEVPu5J/duO5GjMsBNM+KXYQcWrgVCX
SnzVEGft
-----END CERTIFICATE-----
"""
"""By another certificate; nothing here could make one."""
DSA = dsa.generate_private_key(1024)


@pytest.mark.parametrize(
    ("chain", "key", "why"),
    [
        ("", KEY, "not a certificate"),
        ("nonsense", KEY, "not a certificate"),
        (KEY, KEY, "not a certificate"),
        (CHAIN.replace("MII", "MIJ", 1), KEY, "not a certificate"),
        (CHAIN, "", "not a private key"),
        (CHAIN, CHAIN, "not a private key"),
        (CHAIN, pem_of(ec.derive_private_key(7, ec.SECP256R1()), b"secret"), "without a password"),
        (CHAIN, pem_of(ec.derive_private_key(8, ec.SECP256R1())), "not the key of the first certificate"),
        (signed("ca")[0] + CHAIN, KEY, "not the key of the first certificate"),
        (*signed(HOST, key=rsa_key(1024)), "fewer than 2048 bits"),
        (*signed(HOST, key=ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
        (*signed(HOST, key=DSA), "browsers do not know"),
        (SIGNED_WITH_SHA1, KEY, "SHA-1"),
    ],
)
def test_what_haproxy_would_refuse_is_never_given_to_it(chain: str, key: str, why: str) -> None:
    good = secret("good", *signed("www.example.org"))
    found = chosen([tls("a", "bad"), tls("b", "good", "www.example.org")], [secret("bad", chain, key), good])
    assert names(found) == {"www.example.org": "good"}
    assert list(found.held) == [Ref("Secret", "shop", "good")]
    (problem,) = found.problems
    assert why in problem
    assert problem.startswith("Ingress shop/a has no certificate of Secret shop/bad: ")


def test_a_secret_that_is_not_there_is_a_problem() -> None:
    found = chosen([tls("a", "gone")], [])
    assert found.by_host == {}
    assert len(found.problems) == 1


def test_what_stands_around_a_certificate_is_left_out() -> None:
    around = f"comment\n{CHAIN}\nmore\n", f"{KEY}\n-----BEGIN X-----\nAAAA\n-----END X-----\n"
    read = read_certificate(secret("site", *around))
    assert isinstance(read, TLSCertificate)
    assert "comment" not in read.pem.reveal()
    assert "BEGIN X" not in read.pem.reveal()


def test_keys_of_every_usual_kind_are_read() -> None:
    for key in (rsa_key(), ec.generate_private_key(ec.SECP384R1())):
        assert isinstance(read_certificate(secret("site", *signed(HOST, key=key))), TLSCertificate)
