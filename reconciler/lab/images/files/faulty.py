#!/bin/python3
"""A server whose health is a matter of files, for probes of every kind.

HTTP on PORT (8080) and grpc.health.v1 on GRPC_PORT (9000). /tmp/unhealthy: 500, NOT_SERVING. /tmp/hanging: no
answer. /tmp/starting: 503 on /started. /count tells how many requests there were. SIGTERM ends it at once;
with IGNORE_TERM=1 it is ignored.
"""

import os
import signal
import socketserver
import struct
import sys
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
counts = {"http": 0, "grpc": 0}


def is_(what: str) -> bool:
    return os.path.exists(f"/tmp/{what}")


def hang() -> None:
    while is_("hanging"):
        time.sleep(0.1)


class Http(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        words = self.rfile.readline().split()
        agent = ""
        while (line := self.rfile.readline().strip()) != b"":
            if line.lower().startswith(b"user-agent:"):
                agent = line[11:].strip().decode()
        path = words[1].decode() if len(words) > 1 else "/"
        counts["http"] += 1
        hang()
        status, body, extra = "200 OK", "ok", ""
        if path == "/count":
            body = f"http={counts['http']} grpc={counts['grpc']}"
        elif path == "/agent":
            body = agent
        elif path == "/elsewhere":
            status, extra = "302 Found", "Location: http://192.0.2.1/\r\n"
        elif path == "/moved":
            status, extra = "301 Moved Permanently", "Location: /healthz\r\n"
        elif is_("unhealthy"):
            status, body = "500 Internal Server Error", "the faulty app is unhealthy"
        elif path == "/started" and is_("starting"):
            status, body = "503 Service Unavailable", "still starting"
        answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n{body}"
        self.wfile.write(answer.encode())


class Grpc(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        if self.rfile.read(len(PREFACE)) != PREFACE:
            return
        self.send(4, 0, 0, b"")
        while len(head := self.rfile.read(9)) == 9:
            kind, flags = head[3], head[4]
            stream = struct.unpack(">I", head[5:])[0]
            body = self.rfile.read(int.from_bytes(head[:3], "big"))
            if kind == 4 and not flags & 1:
                self.send(4, 1, 0, b"")
            elif kind == 0 and flags & 1:
                self.answer(stream, body)

    def answer(self, stream: int, body: bytes) -> None:
        counts["grpc"] += 1
        hang()
        if b"missing" in body:
            self.send(1, 5, stream, headers(("content-type", "application/grpc"), ("grpc-status", "5")))
            return
        self.send(1, 4, stream, headers(("content-type", "application/grpc")))
        self.send(0, 0, stream, b"\0\0\0\0\2\x08" + bytes([2 if is_("unhealthy") else 1]))
        self.send(1, 5, stream, headers(("grpc-status", "0"), status=False))

    def send(self, kind: int, flags: int, stream: int, body: bytes) -> None:
        self.wfile.write(len(body).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + body)
        self.wfile.flush()


def headers(*pairs: "tuple[str, str]", status: bool = True) -> bytes:
    """HPACK: `:status: 200` by its index, the rest as literals that are not indexed."""
    packed = b"\x88" if status else b""
    for name, value in pairs:
        packed += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return packed


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    end = signal.SIG_IGN if os.environ.get("IGNORE_TERM") else lambda *_: sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    grpc = Server(("", int(os.environ.get("GRPC_PORT", "9000"))), Grpc)
    threading.Thread(target=grpc.serve_forever, daemon=True).start()
    print("faulty: listening", flush=True)
    Server(("", int(os.environ.get("PORT", "8080"))), Http).serve_forever()


main()
