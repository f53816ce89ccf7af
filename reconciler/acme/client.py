"""One order with an ACME server, from beginning to end, by certbot's library `acme`.

Nothing is put in place for a challenge: what answers it follows from the account's key (`services.acme`).
"""

import ssl
from datetime import datetime, timedelta
from typing import Any, Final

from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.b64 import b64encode
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC
from requests import RequestException
from requests.adapters import HTTPAdapter

from reconciler.model.acme import Acme, AcmeAccount, IssuedCertificate, Order
from reconciler.model.secrets import SecretText

ORDER_SECONDS: Final = 90.0
"""How long the server may take to look at the challenges and to issue; each request of it has
`REQUEST_SECONDS`."""
REQUEST_SECONDS: Final = 20
_AGENT: Final = "reconciler"


def new_account() -> AcmeAccount:
    """A new key. The server learns of it with the first order."""
    key = ec.generate_private_key(ec.SECP256R1())
    thumbprint = b64encode(JWKEC(key=key).thumbprint()).decode()
    return AcmeAccount(_pem(key), thumbprint)


def obtain(order: Order) -> IssuedCertificate | str:
    """The certificate, or why there is none, in words for people."""
    server = order.terms.server
    try:
        return _obtained(order)
    except errors.ValidationError as refused:
        return "; ".join(_of_authorization(each, server) for each in refused.failed_authzrs)
    except errors.IssuanceError as refused:
        return f"{server} refuses: {_of_problem(refused.error)}"
    except messages.Error as problem:
        return f"{server} refuses: {_of_problem(problem)}"
    except errors.TimeoutError:
        return f"{server} has not decided within {ORDER_SECONDS:.0f} s"
    except RequestException as failure:
        return f"{server} cannot be reached: {_cause(failure)}"


def _obtained(order: Order) -> IssuedCertificate | str:
    account = JWK.load(order.account.key.reveal().encode())
    network = client.ClientNetwork(account, alg=ES256, user_agent=_AGENT, timeout=REQUEST_SECONDS)
    network.session.mount("https://", _Trusting(order.terms.ca))
    directory = client.ClientV2.get_directory(order.terms.server, network)
    server = client.ClientV2(directory, network)
    _register(server, network, order.terms)
    key = ec.generate_private_key(ec.SECP256R1())
    placed = server.new_order(_request(key, order.wanted.names))
    for authorization in placed.authorizations:
        if authorization.body.status == messages.STATUS_VALID:
            continue
        challenge = _by_http(authorization)
        if challenge is None:
            return f"{order.terms.server} offers no HTTP-01 for {authorization.body.identifier.value}"
        server.answer_challenge(challenge, challenge.chall.response(account))
    deadline = datetime.now() + timedelta(seconds=ORDER_SECONDS)  # noqa: DTZ005 - as the library compares it
    return _issued(order, key, server.poll_and_finalize(placed, deadline).fullchain_pem)


def _register(server: client.ClientV2, network: client.ClientNetwork, terms: Acme) -> None:
    """The same request finds an account that is there already (RFC 8555, 7.3)."""
    wanted = messages.NewRegistration.from_data(email=terms.email or None, terms_of_service_agreed=True)
    try:
        server.new_account(wanted)
    except errors.ConflictError as known:
        network.account = messages.RegistrationResource(body=messages.Registration(), uri=known.location)


def _by_http(authorization: messages.AuthorizationResource) -> messages.ChallengeBody | None:
    for challenge in authorization.body.challenges:
        if isinstance(challenge.chall, challenges.HTTP01):
            return challenge
    return None


def _request(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> bytes:
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _issued(order: Order, key: ec.EllipticCurvePrivateKey, chain: str) -> IssuedCertificate:
    leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    return IssuedCertificate(
        order.wanted.names,
        order.terms.server,
        SecretText(chain),
        _pem(key),
        leaf.not_valid_before_utc.timestamp(),
        leaf.not_valid_after_utc.timestamp(),
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> SecretText:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return SecretText(key.private_bytes(encoding, form, serialization.NoEncryption()).decode())


def _of_authorization(authorization: messages.AuthorizationResource, server: str) -> str:
    name = authorization.body.identifier.value
    found = [each.error for each in authorization.body.challenges if each.error is not None]
    return f"{server} could not see that {name} is ours: {'; '.join(map(_of_problem, found))}"


def _of_problem(problem: messages.Error) -> str:
    return problem.detail or problem.typ


def _cause(failure: RequestException) -> object:
    """Without the library's words about its tries."""
    wrapped = failure.args[0] if failure.args else failure
    return getattr(wrapped, "reason", wrapped)


class _Trusting(HTTPAdapter):
    """HTTPS that trusts some certificates more than the usual ones."""

    def __init__(self, ca: str) -> None:
        self._context = ssl.create_default_context()
        if ca:
            self._context.load_verify_locations(cadata=ca)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        return super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
