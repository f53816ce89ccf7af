"""Services, and who answers for them, in the columns of `kubectl get services` and `kubectl get endpoints`."""

from collections.abc import Sequence
from typing import Final

from reconciler.model.plan import ServiceStatus
from reconciler.reporting.ages import age

_NONE: Final = "<none>"
_SHOWN: Final = 3
"""Of many addresses, where the table is not wide."""


def service_columns(service: ServiceStatus, wide: bool, now: float) -> dict[str, str]:
    """`now` is Unix seconds; 0: not known, so its age is not either."""
    columns = {
        "NAME": service.ref.name,
        "TYPE": service.type,
        "CLUSTER-IP": service.cluster_ip or _NONE,
        "EXTERNAL-IP": _some(service.external, wide),
        "PORT(S)": ",".join(service.ports) or _NONE,
        "AGE": _age(service, now),
    }
    if wide:
        columns |= {"ENDPOINTS": _some(service.endpoints, wide), "MESSAGE": service.message or _NONE}
    return columns


def endpoints_columns(service: ServiceStatus, wide: bool, now: float) -> dict[str, str]:
    return {
        "NAME": service.ref.name,
        "ENDPOINTS": _some(service.endpoints, wide),
        "AGE": _age(service, now),
    }


def _some(values: Sequence[str], wide: bool) -> str:
    """As kubectl lists endpoints: `a,b,c + 2 more...`."""
    shown = values if wide else values[:_SHOWN]
    more = f" + {len(values) - len(shown)} more..." if len(values) > len(shown) else ""
    return ",".join(shown) + more or _NONE


def _age(service: ServiceStatus, now: float) -> str:
    return age(now - service.created) if service.created and now else "<unknown>"
