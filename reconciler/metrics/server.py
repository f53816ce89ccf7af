"""Serves `/metrics` over HTTP, to a few askers at a time."""

import contextlib
import socket
import socketserver
import sys
import threading
from http.server import ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry, MetricsHandler

from reconciler.model.failures import PlainFailure
from reconciler.nodes.errors import defect

_AT_ONCE: Final = 16
_SILENCE_SECONDS: Final = 10.0
"""A client that says nothing for so long is let go."""


class CannotListen(PlainFailure):
    """The message is for people, complete with how to fix it."""


class MetricsServer:
    """Listens from the moment it is made, and answers from `serve` on."""

    def __init__(self, address: str, port: int) -> None:
        """CannotListen where the address is taken, or not this machine's."""
        try:
            family, *_, found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
            self._server = _Server(family, found)
        except OSError as error:
            raise CannotListen(
                f"metrics cannot be served at {address} port {port}: {error.strerror or error}; "
                "give `--metrics` another one"
            ) from error
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def serve(self, registry: CollectorRegistry) -> None:
        self._server.RequestHandlerClass = _PathHandler.factory(registry)
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._server.socket.shutdown(socket.SHUT_RDWR)  # Wakes its thread.
        if self._thread.is_alive():
            self._thread.join()
        self._server.server_close()

    def _work(self) -> None:
        """Without `serve_forever`, which looks twice a second whether it should end."""
        while not self._closed:
            self._server.handle_request()


class _PathHandler(MetricsHandler):
    timeout = _SILENCE_SECONDS

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/metrics":
            super().do_GET()
        else:
            self.send_error(404, explain="The metrics are at /metrics.")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 4 * _AT_ONCE

    def __init__(self, family: socket.AddressFamily, address: Any) -> None:
        self.address_family = family
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__(address, _PathHandler)

    def server_bind(self) -> None:
        """Without HTTPServer's question to DNS for its own name, which may take its time."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "metrics", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no event."""
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, OSError):
            structlog.get_logger().error("metrics not served", defect=defect(error))
