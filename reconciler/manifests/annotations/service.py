"""The annotations of a Service: read into typed options; no text of one goes on as it is."""

from collections.abc import Mapping
from typing import Final

from reconciler.manifests.annotations.values import Setting, duration, one_of, read_settings, truth
from reconciler.manifests.findings import Finding
from reconciler.model.names import GROUP
from reconciler.model.service_options import ServiceOptions

_HOUR: Final = 3_600_000

SERVICE_SETTINGS: Final[Mapping[str, Setting]] = {
    f"{GROUP}/{name}": setting
    for name, setting in {
        "protocol": Setting("protocol", one_of("tcp", "http"), '"tcp" or "http"'),
        "proxy-protocol": Setting("proxy_protocol", truth, '"true" or "false"'),
        "slow-start": Setting("slow_start", duration(_HOUR), 'a time of at most an hour, like "30s" or "2m"'),
        "balance": Setting(
            "balance",
            one_of("roundrobin", "leastconn", "source", "random"),
            "roundrobin, leastconn, source or random",
        ),
    }.items()
}
"""Every annotation of a Service, by its name."""


def read_service_options(annotations: Mapping[str, str]) -> tuple[ServiceOptions, tuple[Finding, ...]]:
    """The options that a Service's annotations make, and every error in them; with errors, those that could be
    read."""
    values, findings = read_settings(SERVICE_SETTINGS, annotations)
    return ServiceOptions(**values), tuple(findings)
