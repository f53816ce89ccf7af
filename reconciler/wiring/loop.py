"""The control loop with everything that it drives, and the metrics that it serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from msgspec import Struct

from reconciler.acme import AcmeIssuer
from reconciler.control.fleet import Fleet
from reconciler.control.inbox import Inbox
from reconciler.control.leadership import Candidate
from reconciler.control.loop import Loop, Narrator
from reconciler.control.processes import this_process
from reconciler.control.refresh import Refresher
from reconciler.kinds import ADMITTED
from reconciler.manifests.loader import Loader
from reconciler.nodes.proxy.reader import ProxyReader
from reconciler.planning import Options
from reconciler.settings import Listen, Settings, SourceSettings
from reconciler.stores import open_store
from reconciler.wiring.hosts import connector, credentials_of, holder_in_words
from reconciler.wiring.reading import open_source
from reconciler.wiring.rules import rules_with


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
            rules=rules_with(options),
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
