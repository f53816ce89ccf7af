"""Our annotations of an Ingress, which become typed options; `foreign` has those of other controllers.

A value is read into a number, a network, or one of a few words; no text of an annotation goes on as it is.
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any, Final

from reconciler.manifests.annotations.values import Setting, duration, one_of, truth
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, quoted, warning
from reconciler.model.ingress_options import Canary, IngressOptions
from reconciler.model.names import GROUP
from reconciler.model.quantities import Quantity

_AT: Final[Pointer] = ("metadata", "annotations")
_HOUR: Final = 3_600_000
_NUMBER: Final = re.compile(r"[0-9]{1,7}")
_DEFAULT_COOKIE: Final = "INGRESSCOOKIE"


def read_options(annotations: Mapping[str, str]) -> tuple[IngressOptions, tuple[Finding, ...]]:
    """The options that an Ingress's annotations make, and every error in them; with errors, those that could be
    read."""
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, setting in SETTINGS.items():
        if (written := annotations.get(name)) is None:
            continue
        try:
            values[setting.field] = setting.read(written)
            _checked(setting.field, values[setting.field])
        except ValueError:
            values.pop(setting.field, None)
            message = f"{quoted(written)} is not a value of {name}"
            findings.append(Finding((*_AT, name), Code.INVALID_ANNOTATION, message, f"write {setting.form}"))
    findings += _contradictions(annotations, values)
    return _options(values), tuple(findings)


def ignored_annotations(annotations: Mapping[str, str], options: IngressOptions) -> Iterator[Finding]:
    """Warnings about annotations of a canary that change nothing on one."""
    for name, setting in SETTINGS.items():
        if options.canary and name in annotations and not setting.field.startswith("canary"):
            message = f"{name} changes nothing on a canary: it has the settings of what it takes traffic from"
            yield warning((*_AT, name), Code.IGNORED_FIELD, message, "remove it, or leave it", at_key=True)


def _checked(field: str, value: Any) -> None:
    """The types know what they hold."""
    if field.startswith("canary_"):
        Canary(**{field.removeprefix("canary_"): value})
    elif field in IngressOptions.__struct_fields__ and field != "canary":
        IngressOptions(**{field: value})


def _options(values: Mapping[str, Any]) -> IngressOptions:
    own = {field: value for field, value in values.items() if field in IngressOptions.__struct_fields__}
    if values.get("affinity") == "cookie":
        own.setdefault("affinity_cookie", _DEFAULT_COOKIE)
    else:
        own.pop("affinity_cookie", None)
    own.pop("canary", None)
    if values.get("canary"):
        parts = {
            field.removeprefix("canary_"): value for field, value in values.items() if field.startswith("canary_")
        }
        own["canary"] = Canary(**parts)
    return IngressOptions(**own)


def _contradictions(annotations: Mapping[str, str], values: Mapping[str, Any]) -> Iterator[Finding]:
    for name, needed in _NEEDS.items():
        if name in annotations and needed not in annotations:
            message = f"{name} means nothing without {needed}"
            yield Finding((*_AT, name), Code.INVALID_ANNOTATION, message, "add that, or remove it", at_key=True)
    if values.get("body_size") and values.get("backend_protocol") == "h2c":
        message = "a gRPC stream has no size to compare: body-size and backend-protocol h2c exclude each other"
        at = (*_AT, f"{GROUP}/body-size")
        yield Finding(at, Code.CONFLICTING_FIELDS, message, "remove one of them", at_key=True)
    if values.get("canary") and not {"canary_weight", "canary_header", "canary_cookie"} & values.keys():
        message = "this canary takes no part of the traffic"
        fix = f"add {GROUP}/canary-weight, canary-by-header or canary-by-cookie"
        yield Finding((*_AT, f"{GROUP}/canary"), Code.INVALID_ANNOTATION, message, fix, at_key=True)


def _bytes(text: str) -> int:
    size = Quantity.parse(text)
    if size.value != size.whole or size.value < 0:
        raise ValueError
    return size.whole


def _number(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError
    return int(text)


def _positive(text: str) -> int:
    if (number := _number(text)) == 0:
        raise ValueError
    return number


def _networks(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(ip_network(part.strip())) for part in text.split(",")))


def _text(text: str) -> str:
    """The types refuse what they must."""
    if not text:
        raise ValueError
    return text


_TIME: Final = 'a time of at most a day, like "500ms", "30s", "5m" or "1h"'
_COOKIE: Final = "letters, digits, `-` and `_`, at most 64"
SETTINGS: Final[Mapping[str, Setting]] = {
    f"{GROUP}/{name}": setting
    for name, setting in {
        "timeout-connect": Setting("timeout_connect", duration(24 * _HOUR), _TIME),
        "timeout-server": Setting("timeout_server", duration(24 * _HOUR), _TIME),
        "timeout-tunnel": Setting("timeout_tunnel", duration(24 * _HOUR), _TIME),
        "body-size": Setting("body_size", _bytes, 'whole bytes, like "512Ki", "8M" or "1Gi"; "0": any size'),
        "balance": Setting(
            "balance",
            one_of("roundrobin", "leastconn", "random", "source", "uri"),
            "roundrobin, leastconn, random, source or uri",
        ),
        "backend-protocol": Setting("backend_protocol", one_of("http", "h2c"), "http, or h2c (for gRPC)"),
        "affinity": Setting("affinity", one_of("cookie"), '"cookie"'),
        "affinity-cookie-name": Setting("affinity_cookie", _text, _COOKIE),
        "rate-limit": Setting("rate_limit", _positive, 'a number of requests of one client, like "50"'),
        "rate-limit-period": Setting("rate_period", duration(_HOUR), 'a time from "1s" to "1h"'),
        "allow-list": Setting("allow", _networks, 'networks, like "10.0.0.0/8, 192.0.2.7/32", separated by `,`'),
        "auth-secret": Setting("auth_secret", _text, "the name of a Secret of this namespace"),
        "auth-realm": Setting("auth_realm", _text, "letters, digits, blanks and `._-`, at most 64"),
        "ssl-redirect": Setting("ssl_redirect", truth, '"true" or "false"'),
        "acme": Setting("acme", truth, '"true" or "false"'),
        "canary": Setting("canary", truth, '"true" or "false"'),
        "canary-weight": Setting("canary_weight", _number, 'a percentage without its sign, from "0" to "100"'),
        "canary-by-header": Setting("canary_header", _text, "a header's name: letters, digits, `-` and `_`"),
        "canary-by-header-value": Setting(
            "canary_header_value", _text, "letters, digits and `._~:/+=@-`, at most 128"
        ),
        "canary-by-cookie": Setting("canary_cookie", _text, _COOKIE),
    }.items()
}
"""Every annotation of an Ingress, by its name."""

_NEEDS: Final = {
    f"{GROUP}/{name}": f"{GROUP}/{needed}"
    for name, needed in {
        "affinity-cookie-name": "affinity",
        "rate-limit-period": "rate-limit",
        "auth-realm": "auth-secret",
        "canary-weight": "canary",
        "canary-by-header": "canary",
        "canary-by-header-value": "canary-by-header",
        "canary-by-cookie": "canary",
    }.items()
}
