"""Hosts reached without a control loop: looked at once, or freed of everything of ours."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import sys
import time

from msgspec.structs import replace

from reconciler.control.fleet import Fleet, OpenSession
from reconciler.control.inbox import Inbox, NodeObserved
from reconciler.control.ports import NodeSession
from reconciler.control.processes import has_ended
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.api.meta import ref_of
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed
from reconciler.nodes import Credentials, Neighbours, Resetter, SshNodeSession, reset_node
from reconciler.planning import without_node
from reconciler.settings import Settings
from reconciler.store import StoreLocked
from reconciler.stores import open_reader, open_store
from reconciler.wiring.reading import remembered


def connector(settings: Settings, inbox: Inbox) -> OpenSession:
    credentials, neighbours = credentials_of(settings), Neighbours()

    def connect(node: Node, cluster: Cluster, engine_id: str) -> NodeSession:
        return SshNodeSession(node, cluster, inbox, credentials, engine_id, neighbours)

    return connect


def credentials_of(settings: Settings) -> Credentials:
    """A key that is named is the only one offered."""
    return Credentials(
        key_paths=settings.ssh_keys, use_agent=not settings.ssh_keys, known_hosts=settings.known_hosts
    )


def observe_once(desired: Desired, memory: Memory, settings: Settings) -> Observed:
    """Every host as it is now, waiting at most for the connect time-out; nothing is changed on any of them."""
    inbox = Inbox()
    fleet = Fleet(connector(settings, inbox))
    try:
        fleet.follow(desired, memory)
        until = time.monotonic() + desired.cluster.spec.ssh.connect_timeout_seconds + 1
        while not fleet.settled and (left := until - time.monotonic()) > 0:
            for message in inbox.take(left):
                if isinstance(message, NodeObserved):
                    fleet.heard(message.node)
        return fleet.observe()
    finally:
        fleet.close()


def reset(node: Node, cluster: Cluster, settings: Settings) -> list[str]:
    """Take everything of ours off a host, and forget what was given to it; what was removed, in words.

    StoreLocked where a running reconciler has the node: it would put all back.
    """
    stranger = Resetter(secrets.token_hex(8), holder_in_words(), settings.take_over, has_ended)
    memory = remembered(settings)
    if ref_of(cluster) not in memory.applied and node.metadata.name not in memory.nodes:
        return reset_node(node, cluster, credentials_of(settings), stranger)
    try:
        store = open_store(settings.state_dir)
    except StoreLocked:
        with open_reader(settings.state_dir) as reader:
            if ref_of(node) in reader.memory().applied:
                raise
        return reset_node(node, cluster, credentials_of(settings), stranger)
    with store:
        ours = replace(stranger, owner=store.identity)
        removed = reset_node(node, cluster, credentials_of(settings), ours)
        store.save(without_node(store.load(), node.metadata.name))
    return removed


def forget_node(name: str, settings: Settings) -> None:
    """Forget what was given to a host that is gone; nobody goes there.

    StoreLocked if a reconciler runs: it would remember it again.
    """
    with open_store(settings.state_dir) as store:
        store.save(without_node(store.load(), name))


def holder_in_words() -> str:
    """Who this process is, for people who meet its lease on a host: one line.

    Without the command's arguments, which may hold a secret."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    told = f"{user}@{socket.gethostname()} (reconciler {command}, pid {os.getpid()}, since {since})"
    return "".join(letter if letter.isprintable() else "?" for letter in told)[:200]
