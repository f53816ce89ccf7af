"""What nodes' proxies and the control loop say, as Prometheus' metrics. Pure.

Names and units follow https://prometheus.io/docs/practices/naming/. Of a pod there is one series for each port of
a service and node that sees it: their number stays that of HAProxy's servers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from reconciler.model.api.certificates import Certificate
from reconciler.model.api.core.pod import Pod, container_statuses_of, is_terminating
from reconciler.model.moments import unix_seconds
from reconciler.model.names import Ref
from reconciler.model.observed import Observed, Reachable
from reconciler.model.plan import Status
from reconciler.model.sections import IngressSection, ServiceSection
from reconciler.model.traffic import Sections, SectionTraffic

_CODES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_AVERAGE: Final = "; HAProxy's average over the last 1,024 that got so far"
_RESET: Final = ". Begins at 0 with each process of HAProxy, so after a reload, too"
_OF_SERVICE: Final = ("namespace", "service", "port", "way", "node")
_OF_INGRESS: Final = ("namespace", "ingress", "service", "port", "tls", "node")
_PHASES: Final = ("Pending", "Running", "Succeeded", "Failed", "Unknown", "Terminating")


class LoopState(Struct, frozen=True):
    """What metrics say of the control loop after a turn."""

    revision: str = ""
    """The revision in force; empty: none is."""
    refused: bool = False
    """A newer revision is not taken."""
    converged: bool = False
    statuses: Mapping[Ref, Status] = {}
    observed: Observed | None = None


def loop_families(state: LoopState) -> Iterator[Metric]:
    """How the cluster stands, without a question to any host."""
    pods = Counter(_phase(pod) for pod in state.statuses.values() if isinstance(pod, Pod))
    phases = GaugeMetricFamily("reconciler_pods", "Pods, by phase.", labels=("phase",))
    for phase in _PHASES:
        phases.add_metric((phase,), pods[phase])
    yield phases
    yield _waiting(state.statuses.values())
    yield GaugeMetricFamily(
        "reconciler_converged",
        "1 where everything wanted runs and every host that can be reached serves it.",
        int(state.converged),
    )
    yield GaugeMetricFamily(
        "reconciler_revision_refused",
        "1 while the newest revision of the source is rejected or held, and an older one stays in force.",
        int(state.refused),
    )
    revision = InfoMetricFamily("reconciler_revision", "The revision in force.")
    if state.revision:
        revision.add_metric((), {"revision": state.revision})
    yield revision
    yield _certificate_ends(state.statuses.values())
    up = GaugeMetricFamily("reconciler_node_up", "1 where the host is reached over SSH.", labels=("node",))
    for name, node in sorted(state.observed.nodes.items() if state.observed else ()):
        up.add_metric((name,), int(isinstance(node, Reachable)))
    yield up


def _phase(pod: Pod) -> str:
    """A pod that is about to go is counted apart from those that run."""
    return "Terminating" if is_terminating(pod) and pod.status.phase != "Unknown" else pod.status.phase


def _waiting(statuses: Iterable[Status]) -> Metric:
    """As upstream, a pod that crashes again and again is Running: what it waits for tells the two apart."""
    waiting = GaugeMetricFamily(
        "reconciler_pods_waiting",
        "Pods with a container that waits, by Kubernetes' reason: CrashLoopBackOff, ImagePullBackOff…",
        labels=("reason",),
    )
    pods = [one for one in statuses if isinstance(one, Pod)]
    counted = Counter(reason for pod in pods for reason in _reasons(pod))
    for reason, number in sorted(counted.items()):
        waiting.add_metric((reason,), number)
    return waiting


def _reasons(pod: Pod) -> set[str]:
    waiting = (one.state.waiting for one in container_statuses_of(pod))
    return {state.reason for state in waiting if state is not None and state.reason}


def _certificate_ends(statuses: Iterable[Status]) -> Metric:
    ends = GaugeMetricFamily(
        "reconciler_certificate_not_after_seconds",
        "When the certificate of an Ingress' TLS Secret ends, in Unix seconds; 0 where it cannot be used.",
        labels=("namespace", "secret"),
    )
    found = {
        (one.metadata.namespace, one.metadata.name): unix_seconds(one.status.not_after)
        for one in statuses
        if isinstance(one, Certificate)
    }
    for labels, end in sorted(found.items()):
        ends.add_metric(labels, end)
    return ends


def traffic_families(nodes: Iterable[str], told: Mapping[str, Sections]) -> Iterator[Metric]:
    """`told`: by node, of those that answered."""
    up = GaugeMetricFamily(
        "reconciler_proxy_up", "1 where the node's HAProxy told its statistics in time.", labels=("node",)
    )
    for name in sorted(nodes):
        up.add_metric((name,), int(name in told))
    yield up
    services = _Families("service", _OF_SERVICE)
    ingresses = _Families("ingress", _OF_INGRESS)
    for node, sections in sorted(told.items()):
        for one in sections:
            match one.section:
                case ServiceSection(service=ref, port=port, way=way):
                    services.add((ref.namespace, ref.name, port, way, node), one)
                case IngressSection(ingress=ref, service=service, port=port, https_only=only):
                    tls = "only" if only else ""
                    ingresses.add((ref.namespace, ref.name, service, port, tls, node), one)
    yield from services.families
    yield from ingresses.families


class _Families:
    """Those of Services, or of Ingresses: the same, under other labels."""

    def __init__(self, kind: str, labels: tuple[str, ...]) -> None:
        def counter(name: str, words: str, *more: str) -> CounterMetricFamily:
            full = f"reconciler_{kind}_{name}"
            return CounterMetricFamily(full, f"{words}{_RESET}.", labels=(*labels, *more))

        def gauge(name: str, words: str, *more: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"reconciler_{kind}_{name}", f"{words}.", labels=(*labels, *more))

        self._sessions = counter("sessions", "Connections; of what is balanced by request, requests")
        self._current = gauge("current_sessions", "Connections, or requests, under way")
        self._bytes = counter("bytes", "Bytes from clients (in) and to them (out)", "direction")
        self._errors = counter(
            "errors",
            "Sessions that reached no pod (connect), were broken off by one (response), or were turned away by a "
            "policy or source ranges (denied)",
            "kind",
        )
        self._retries = counter("retries", "Connections to pods that were tried again")
        self._redispatches = counter("redispatches", "Sessions that went to another pod than the first one tried")
        self._responses = counter("http_responses", "Responses, by class of their status", "code")
        self._connect = gauge("connect_seconds", f"Time to connect to a pod{_AVERAGE}")
        self._response = gauge("response_seconds", f"Time to the first byte of a response{_AVERAGE}")
        self._session = gauge("session_seconds", f"Time of a whole session{_AVERAGE}")
        self._endpoint = gauge(
            "endpoint_up", "1 where the node's HAProxy sends connections to the pod; leaving pods have none", "pod"
        )
        self.families: tuple[Metric, ...] = (
            *(self._sessions, self._current, self._bytes, self._errors, self._retries, self._redispatches),
            *(self._responses, self._connect, self._response, self._session, self._endpoint),
        )

    def add(self, labels: tuple[str, ...], one: SectionTraffic) -> None:
        counts = one.counts
        self._sessions.add_metric(labels, counts.sessions)
        self._current.add_metric(labels, counts.current)
        self._bytes.add_metric((*labels, "in"), counts.bytes_in)
        self._bytes.add_metric((*labels, "out"), counts.bytes_out)
        self._errors.add_metric((*labels, "connect"), counts.connect_errors)
        self._errors.add_metric((*labels, "response"), counts.response_errors)
        self._errors.add_metric((*labels, "denied"), one.denied)
        self._retries.add_metric(labels, counts.retries)
        self._redispatches.add_metric(labels, counts.redispatches)
        for code, number in zip(_CODES, counts.responses, strict=False):
            self._responses.add_metric((*labels, code), number)
        self._connect.add_metric(labels, counts.connect_ms / 1000)
        if one.by_request:
            self._response.add_metric(labels, counts.response_ms / 1000)
        self._session.add_metric(labels, counts.total_ms / 1000)
        for server in one.servers:
            if not server.leaves:
                self._endpoint.add_metric((*labels, server.pod), int(server.up))
