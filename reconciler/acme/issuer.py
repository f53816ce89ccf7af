"""Orders certificates one after the other, on a thread of its own. Implements `control.ports.Issuer`."""

import queue
import threading
from collections.abc import Callable

from reconciler.model.acme import AcmeAccount, IssuedCertificate, Order

OrderCallback = Callable[[Order, IssuedCertificate | str], None]
"""What is called with the end of each order, from the issuer's thread: the certificate, or why there is none."""


class AcmeIssuer:
    """The thread begins with the first order. `close` does not wait for one that is under way: it is lost, and the
    same certificate is ordered anew by the next process."""

    def __init__(self, ended: OrderCallback) -> None:
        self._ended = ended
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    def new_account(self) -> AcmeAccount:
        from reconciler.acme.client import (
            new_account,
        )  # a second of imports, for those who have certificates issued

        return new_account()

    def order(self, order: Order) -> None:
        self._orders.put(order)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="acme", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._closed = True

    def _run(self) -> None:
        from reconciler.acme.client import obtain

        while True:
            order = self._orders.get()
            try:
                result: IssuedCertificate | str = obtain(order)
            except Exception as error:  # whatever a server answers, the next order is tried
                result = f"{order.terms.server} answered what makes no sense: {error!r}"
            if self._closed:
                return
            self._ended(order, result)
