"""How the image of a node's own containers is made: HAProxy, the name servers, and what the prober runs on."""

from typing import Final

DOCKERFILE: Final = """\
FROM debian:bookworm-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends haproxy dnsmasq-base socat python3 \\
 && rm -rf /var/lib/apt/lists/*
"""
