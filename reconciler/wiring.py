"""Joins the loop to the outside world: the only place that knows every package."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from reconciler.acme import AcmeIssuer
from reconciler.control.fleet import Connect, Fleet
from reconciler.control.inbox import Inbox, NodeObserved
from reconciler.control.leadership import Candidate
from reconciler.control.loop import Loop, Narrator
from reconciler.control.ports import NodeSession, Source
from reconciler.control.processes import has_ended, this_process
from reconciler.control.refresh import Refresher
from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.api.meta import ref_of
from reconciler.model.desired import Desired, Rejected, Snapshot, Unavailable
from reconciler.model.memory import Memory
from reconciler.model.observed import Observed
from reconciler.nodes import Credentials, Neighbours, Resetter, SshNodeSession, reset_node
from reconciler.nodes.proxy.reader import ProxyReader
from reconciler.planning import Options, without_node
from reconciler.settings import Listen, Settings, SourceSettings
from reconciler.sources import (
    BadSource,
    FolderSource,
    GitAccess,
    GitSource,
    GitTarget,
    commit_around,
    path_in_repository,
)
from reconciler.store import StoreLocked
from reconciler.stores import has_state, open_reader, open_store


def open_source(wanted: SourceSettings, settings: Settings) -> Source:
    if wanted.folder is not None:
        return FolderSource(wanted.folder)
    access = GitAccess(
        host_key=wanted.git_host_key,
        known_hosts=str(settings.known_hosts or ""),
        ssh_key=str(wanted.git_key or ""),
        token=wanted.git_token,
    )
    return GitSource(
        wanted.git_url,
        GitTarget(wanted.branch, wanted.tag, wanted.commit),
        subpath=wanted.subpath,
        access=access,
        cache=settings.state_dir / "git",
        poll=wanted.poll_seconds,
    )


def connector(settings: Settings, inbox: Inbox) -> Connect:
    credentials, neighbours = credentials_of(settings), Neighbours()

    def connect(node: Node, cluster: Cluster, engine_id: str) -> NodeSession:
        return SshNodeSession(node, cluster, inbox, credentials, engine_id, neighbours)

    return connect


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


def forget_node(name: str, settings: Settings) -> None:
    """For a host that is gone: what was given to it is forgotten, and nobody goes there.

    StoreLocked where a reconciler runs: it would remember it again."""
    with open_store(settings.state_dir) as store:
        store.save(without_node(store.load(), name))


def credentials_of(settings: Settings) -> Credentials:
    """A key that is named is the only one offered."""
    return Credentials(
        key_paths=settings.ssh_keys, use_agent=not settings.ssh_keys, known_hosts=settings.known_hosts
    )


def read_once(wanted: SourceSettings, settings: Settings) -> Desired | Rejected | Unavailable:
    """The source as it is now, for commands that have no loop."""
    source = open_source(wanted, settings)
    try:
        read = source.read()
    finally:
        source.close()
    return Loader(ADMITTED).load(read) if isinstance(read, Snapshot) else read


def folder_in_repository(wanted: SourceSettings) -> str:
    """What leads from the repository's root to the manifests, for reports that others show beside its files."""
    return wanted.subpath if wanted.folder is None else path_in_repository(wanted.folder)


def in_force_at(wanted: SourceSettings, base: str, settings: Settings) -> Desired | Rejected | Unavailable:
    """The revision that `base` names in the repository around the source, for a `diff` that has no state.

    BadSource where the source is not on this machine, or has no such commit.
    """
    if "://" in wanted.git_url:
        raise BadSource("--base needs the repository on this machine: give a folder of a checkout")
    folder = wanted.folder or Path(wanted.git_url) / wanted.subpath
    around = commit_around(folder, base)
    pinned = SourceSettings(git_url=str(around.root), commit=around.commit, subpath=around.subpath)
    return read_once(pinned, settings)


def remembered(settings: Settings) -> Memory:
    """What the store holds, read without its lock; an empty memory where there is no store yet."""
    if not has_state(settings.state_dir):
        return Memory()
    with open_reader(settings.state_dir) as reader:
        return reader.memory()


def kept_revision(settings: Settings) -> Desired | None:
    """The last good revision as the store has it, read without its lock."""
    if not has_state(settings.state_dir):
        return None
    with open_reader(settings.state_dir) as reader:
        snapshot = reader.last_revision()
    read = Loader(ADMITTED).load(snapshot) if snapshot is not None else None
    return read if isinstance(read, Desired) else None


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


class Running(Struct):
    """A loop that is wired and watching; `inbox.put(Stop())` ends its `run`."""

    loop: Loop
    inbox: Inbox


@contextmanager
def running(wanted: SourceSettings, settings: Settings, narrator: Narrator, options: Options) -> Iterator[Running]:
    """Open store, source and sessions, and close them again in the reverse order; StoreLocked names a holder."""
    store = open_store(settings.state_dir)
    try:
        inbox = Inbox()
        fleet = Fleet(connector(settings, inbox))
        issuer = AcmeIssuer(inbox.order_ended)
        loop = Loop(
            inbox=inbox,
            load=Loader(ADMITTED).load,
            fleet=fleet,
            store=store,
            issuer=issuer,
            narrator=narrator,
            options=options,
            candidate=Candidate(store.identity, holder_in_words(), settings.take_over, this_process()),
        )
        refresher = Refresher(open_source(wanted, settings), Loader(ADMITTED).load, inbox)
        refresher.start()
        try:
            yield Running(loop, inbox)
        finally:
            refresher.close()
            issuer.close()
            fleet.close()
    finally:
        store.close()


@contextmanager
def measured(it: Running, where: Listen, settings: Settings) -> Iterator[None]:
    """Serve metrics of the loop, and of the nodes that it knows; CannotListen where the port is taken."""
    from reconciler.metrics import MetricsServer, Scraper, registry_of  # no other command should pay for it

    credentials = credentials_of(settings)
    with (
        closing(MetricsServer(where.address, where.port)) as server,
        closing(Scraper(lambda node, cluster: ProxyReader(node, cluster, credentials))) as scraper,
    ):
        server.serve(registry_of(it.loop, scraper))
        yield
