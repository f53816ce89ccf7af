"""A GET as a probe asks it: any answer from 200 to 399 is success, the certificate is anybody's."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urljoin, urlsplit

from reconciler.prober.specs import Handler

_MOST_BODY = 10 * 1024
_MOST_REDIRECTS = 10
_AGENT = "kube-probe/1.0 (reconciler)"
"""Applications that treat probes apart look for the first word."""


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def check_http(action: Handler) -> tuple[bool, str]:
    """Redirects are followed on the same host; one that leads elsewhere is success, as upstream."""
    url = f"{action.scheme}://{_bracketed(action.host)}:{action.port}{action.path}"
    for _ in range(_MOST_REDIRECTS):
        status, location, body = await _get(url, action.headers)
        if status not in (301, 302, 303, 307, 308) or not location:
            break
        target = urljoin(url, location)
        if urlsplit(target).hostname != urlsplit(url).hostname:
            return True, f"redirected to another host ({location}), which is not asked"
        url = target
    else:
        return False, f"stopped after {_MOST_REDIRECTS} redirects"
    if 200 <= status < 400:
        return True, ""
    said = body.decode(errors="replace").strip()
    return False, f"HTTP probe failed with statuscode: {status}" + (f": {said}" if said else "")


async def _get(url: str, headers: tuple[tuple[str, str], ...]) -> tuple[int, str, bytes]:
    """Status, Location, and the first 10 kB of the body."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    context = _unchecked() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    try:
        writer.write(
            _request(parts.netloc, f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", headers)
        )
        while (head := await _head(reader))[0] < 200:
            pass
        status, fields = head
        return status, fields.get("location", ""), await _body(reader, status, fields)
    finally:
        writer.close()


def _request(host: str, path: str, headers: tuple[tuple[str, str], ...]) -> bytes:
    """ValueError where a header or the path would end its line."""
    fields = {"host": ("Host", host), "user-agent": ("User-Agent", _AGENT), "accept": ("Accept", "*/*")}
    extra = []
    for name, value in headers:
        if name.lower() in fields:
            fields[name.lower()] = (name, value)
        else:
            extra.append((name, value))
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (*fields.values(), *extra) if value)]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line break in the path or a header")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    words = first.split()
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise ValueError(f"no HTTP answer: {first[:60]!r}")
    pairs = (line.partition(":") for line in rest)
    return int(words[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, status: int, fields: dict[str, str]) -> bytes:
    if status in (204, 304):
        return b""
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while len(body) < _MOST_BODY and (size := int((await reader.readline()).split(b";")[0], 16)):
            body += await reader.readexactly(min(size, _MOST_BODY))
            if size > _MOST_BODY:
                break
            await reader.readexactly(2)
        return body
    length = fields.get("content-length", "")
    wanted = min(int(length), _MOST_BODY) if length.isdigit() else _MOST_BODY
    body = b""
    while len(body) < wanted and (more := await reader.read(wanted - len(body))):
        body += more
    return body


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
