"""An issuer that does what it is told, for tests of the loop."""

from reconciler.model.acme import AcmeAccount, IssuedCertificate, Order
from reconciler.model.secrets import SecretText
from tests.certificates import signed

THUMBPRINT = "A" * 43


class FakeIssuer:
    """Remembers what was ordered."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def new_account(self) -> AcmeAccount:
        return AcmeAccount(SecretText("the account's key"), THUMBPRINT)

    def order(self, order: Order) -> None:
        self.orders.append(order)


def issued(*names: str, server: str, start: float, end: float) -> IssuedCertificate:
    chain, key = signed(*names, start=start, end=end)
    return IssuedCertificate(tuple(sorted(names)), server, SecretText(chain), SecretText(key), start, end)
