"""TLS over a channel that is no socket. For hooks that ask an https URL, whose certificate is not checked."""

import io
import ssl
from collections.abc import Callable
from typing import Final, TypeVar

from reconciler.nodes.ssh.channel_socket import ChannelSocket, ReceivingReader

_CHUNK: Final = 16384
_Result = TypeVar("_Result")


class TlsSocket:
    """Speaks TLS over a channel, with as much of a socket as http.client asks for. Raises OSError if the other
    side speaks no TLS.
    """

    def __init__(self, channel: ChannelSocket, host: str) -> None:
        self._channel = channel
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._exchange(self._tls.do_handshake)

    def sendall(self, data: bytes) -> None:
        self._exchange(lambda: self._tls.write(data))

    def receive(self, size: int) -> bytes:
        try:
            return self._exchange(lambda: self._tls.read(size))
        except ssl.SSLEOFError:
            return b""

    def makefile(self, _mode: str = "rb", *_: object, **__: object) -> io.BufferedReader:
        return io.BufferedReader(ReceivingReader(self.receive), _CHUNK)

    def close(self) -> None:
        """Its channel stays open for what is still to be read: whoever opened it closes it."""

    def _exchange(self, step: Callable[[], _Result]) -> _Result:
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                self._flush()
                if received := self._channel.receive(_CHUNK):
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if pending := self._outgoing.read():
            self._channel.sendall(pending)
