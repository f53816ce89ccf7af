"""Asks the proxies of many nodes at once, and waits for none of them longer than a scrape may take."""

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, Protocol, TypeAlias

import structlog

from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.node import Node
from reconciler.model.traffic import Sections
from reconciler.nodes.errors import NodeError, defect

DEADLINE_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 300.0
"""So long after the last scrape the connections are ended: with nobody who asks, nothing is held open."""
_AT_ONCE: Final = 32


class Reader(Protocol):
    """`nodes.proxy_reader.ProxyReader`."""

    def read(self) -> Sections: ...

    def rest(self) -> None: ...

    def close(self) -> None: ...


OpenReader: TypeAlias = Callable[[Node, Cluster], Reader]


class Scraper:
    """Holds one reader per node. Not to be asked by two threads at once."""

    def __init__(self, open_reader: OpenReader, deadline: float = DEADLINE_SECONDS) -> None:
        self._open_reader = open_reader
        self._deadline = deadline
        self._readers: dict[str, Reader] = {}
        self._opened: dict[str, tuple[object, ...]] = {}
        self._asked: dict[str, Future[Sections]] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="scrape")
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._closed = False
        self._log = structlog.get_logger()

    def ask(self, nodes: Mapping[str, Node], cluster: Cluster, reachable: Collection[str]) -> dict[str, Sections]:
        """Return what those of these nodes that can be reached answer in time. One that is late is not asked anew
        until it has ended.
        """
        with self._lock:
            if self._closed:
                return {}
            self._follow(nodes, cluster)
            for name in reachable:
                if name not in self._asked or self._asked[name].done():
                    self._asked[name] = self._pool.submit(self._readers[name].read)
            asked = {name: self._asked[name] for name in reachable}
        wait(asked.values(), self._deadline)
        self._rest_after(IDLE_SECONDS)
        return {name: told.result() for name, told in asked.items() if self._has_answered(name, told)}

    def rest(self) -> None:
        """End the connections that nothing is read from; the next scrape opens them again."""
        with self._lock:
            for name, reader in self._readers.items():
                if name not in self._asked or self._asked[name].done():
                    reader.rest()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            self._pool.shutdown(wait=False, cancel_futures=True)
            for name in list(self._readers):
                self._drop(name)

    # --- inside -------------------------------------------------------------------------------------------------

    def _follow(self, nodes: Mapping[str, Node], cluster: Cluster) -> None:
        for name in self._readers.keys() - nodes.keys():
            self._drop(name)
        for name, node in nodes.items():
            terms = (node.ssh, node.host_key, cluster.metadata.name, cluster.spec.ssh)
            if self._opened.get(name) != terms:
                self._drop(name)
                self._readers[name] = self._open_reader(node, cluster)
                self._opened[name] = terms

    def _drop(self, name: str) -> None:
        self._opened.pop(name, None)
        self._asked.pop(name, None)
        if (reader := self._readers.pop(name, None)) is not None:
            reader.close()

    def _rest_after(self, seconds: float) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if not self._closed:
                self._timer = threading.Timer(seconds, self.rest)
                self._timer.daemon = True
                self._timer.start()

    def _has_answered(self, name: str, told: "Future[Sections]") -> bool:
        if not told.done():
            self._log.info("no statistics", node=name, reason=f"no answer within {self._deadline:g} s")
            return False
        if told.cancelled():
            return False
        match told.exception():
            case None:
                return True
            case NodeError() as error:
                self._log.info("no statistics", node=name, reason=str(error))
            case Exception() as error:
                self._log.error("no statistics", node=name, defect=defect(error))
        return False
