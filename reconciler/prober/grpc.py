"""grpc.health.v1.Health/Check over HTTP/2 without TLS: just the frames that one call takes.

Formats: RFC 9113 (frames), RFC 7541 (header fields; only written, never read),
https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

import asyncio

from reconciler.prober.specs import Handler

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
_END_STREAM, _END_HEADERS, _ACK, _PADDED = 0x1, 0x4, 0x1, 0x8
_STREAM = 1
_MOST_FRAME = 16384
_STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


async def check_grpc(action: Handler) -> tuple[bool, str]:
    if not 1 <= action.port <= 65535:
        raise ValueError("the container has no such port")
    reader, writer = await asyncio.open_connection(action.host, action.port)
    try:
        writer.write(_call(f"{action.host}:{action.port}", action.service))
        message = await _answer(reader, writer)
    finally:
        writer.close()
    if message is None:
        of = f"service {action.service!r}" if action.service else "the server"
        return False, f"it says nothing of {of}: unknown to it, or it serves no grpc.health.v1.Health"
    status = _status(message)
    return status == 1, f"service unhealthy (responded with {_STATUSES.get(status, status)!r})"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
    """The message of the reply; None: it came without one, which is how gRPC says no."""
    data = b""
    while True:
        head = await reader.readexactly(9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        if size > _MOST_FRAME:
            raise ValueError("no HTTP/2 answer")
        body = await reader.readexactly(size)
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            writer.write(_frame(_PING, _ACK, 0, body))
        elif kind == _GOAWAY or (kind == _RST and stream == _STREAM):
            raise ValueError(f"it ended the call ({'GOAWAY' if kind == _GOAWAY else 'RST_STREAM'})")
        elif kind == _DATA and stream == _STREAM:
            data += body[1 : len(body) - body[0]] if flags & _PADDED and body else body
            if len(data) >= 5 and len(data) >= 5 + (length := int.from_bytes(data[1:5], "big")):
                return data[5 : 5 + length]
            if len(data) > _MOST_FRAME:
                raise ValueError("the answer is too long")
        if stream == _STREAM and kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            return None


def _call(authority: str, service: str) -> bytes:
    name = service.encode()
    request = b"" if not name else b"\x0a" + _varint(len(name)) + name
    message = b"\0" + len(request).to_bytes(4, "big") + request
    fields = (
        b"\x83\x86"  # :method POST, :scheme http: entries of HPACK's static table
        + b"\x04" + _string(b"/grpc.health.v1.Health/Check")  # :path
        + b"\x01" + _string(authority.encode())  # :authority
        + b"\x00" + _string(b"content-type") + _string(b"application/grpc")
        + b"\x00" + _string(b"te") + _string(b"trailers")
        + b"\x00" + _string(b"user-agent") + _string(b"kube-probe/1.0 (reconciler)")
    )  # fmt: skip
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, _STREAM, fields)
        + _frame(_DATA, _END_STREAM, _STREAM, message)
    )


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body


def _string(value: bytes) -> bytes:
    """A length in HPACK's seven bits, and the bytes as they are."""
    if len(value) < 127:
        return bytes((len(value),)) + value
    return b"\x7f" + _varint(len(value) - 127) + value


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes((number & 127 | 128,))
        number >>= 7
    return out + bytes((number,))


def _status(message: bytes) -> int:
    """Field 1 of HealthCheckResponse; left out, it is 0."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0
