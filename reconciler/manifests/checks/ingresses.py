"""What JSON Schema cannot say about one Ingress, and what it refers to."""

import re
from collections.abc import Iterator
from typing import Any, Final

from reconciler.manifests.annotations.foreign import check_foreign
from reconciler.manifests.annotations.ingress import ignored_annotations
from reconciler.manifests.checks.configuration import check_certificate, check_key
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer, warning
from reconciler.manifests.relations import Reference, Relations
from reconciler.model.api.networking import HTTPIngressPath, Ingress, IngressServiceBackend, IngressSpec
from reconciler.model.certificates import issues
from reconciler.model.ingress import OUR_CLASSES, ingress_class, is_served_here
from reconciler.model.names import ANNOTATION_CLASS, GROUP, Ref

AUTH_AT: Final[Pointer] = ("metadata", "annotations", f"{GROUP}/auth-secret")
AUTH_KEY: Final = "auth"
CERTIFICATE_KEYS: Final = ("tls.crt", "tls.key")
_IPV4: Final = re.compile(r"[0-9.]+")


def without_foreign_spec(written: dict[str, Any]) -> dict[str, Any]:
    """The document of an Ingress, or no more of its spec than the class if that leaves it to another controller.

    What such an Ingress may be written for is not looked at. Never raises.
    """
    metadata, spec = written.get("metadata"), written.get("spec")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    noted = annotations.get(ANNOTATION_CLASS) if isinstance(annotations, dict) else None
    named = spec.get("ingressClassName") if isinstance(spec, dict) else None
    chosen = named or noted
    if not isinstance(chosen, str) or chosen in OUR_CLASSES:
        return written
    return {**written, "spec": {"ingressClassName": named} if named else {}}


def check_ingress_spec(ingress: Ingress) -> Iterator[Finding]:
    """Errors and warnings about an Ingress; about one that is left to another controller, nothing but that."""
    spec, annotations = ingress.spec, ingress.metadata.annotations
    if spec.ingress_class_name and ANNOTATION_CLASS in annotations:
        at: Pointer = ("metadata", "annotations", ANNOTATION_CLASS)
        message = "the class is in spec.ingressClassName, too"
        yield Finding(at, Code.CONFLICTING_FIELDS, message, "remove the annotation", at_key=True)
    if not is_served_here(ingress):
        at = (
            ("spec", "ingressClassName")
            if spec.ingress_class_name
            else ("metadata", "annotations", ANNOTATION_CLASS)
        )
        message = f"the class {ingress_class(ingress)} is left to another controller: this Ingress is not served"
        ours = " or ".join(filter(None, OUR_CLASSES))
        yield warning(at, Code.NOT_OURS, message, f"write {ours} to have it served here, or leave it")
        return
    yield from check_foreign(annotations, canary=ingress.options.canary is not None)
    yield from ignored_annotations(annotations, ingress.options)
    yield from _backends(spec)
    yield from _rules(spec)


def backends_of(spec: IngressSpec) -> Iterator[tuple[IngressServiceBackend, Pointer]]:
    """Each Service that requests of an Ingress go to, and where it stands in its document."""
    if spec.default_backend is not None:
        yield spec.default_backend.service, ("spec", "defaultBackend", "service")
    for number, rule in enumerate(spec.rules):
        for index, path in enumerate(rule.http.paths):
            yield path.backend.service, ("spec", "rules", number, "http", "paths", index, "backend", "service")


def relations_of_ingress(ingress: Ingress) -> Relations:
    """The Services, certificates and passwords of an Ingress; none of one that is left to another controller."""
    return Relations(references=tuple(_references(ingress))) if is_served_here(ingress) else Relations()


def _references(ingress: Ingress) -> Iterator[Reference]:
    namespace = ingress.metadata.namespace
    for service, at in backends_of(ingress.spec):
        yield Reference(Ref("Service", namespace, service.name), (*at, "name"))
    for index, tls in enumerate(ingress.spec.tls):
        if tls.secret_name:
            named: Pointer = ("spec", "tls", index, "secretName")
            for key in CERTIFICATE_KEYS:
                yield Reference(
                    Ref("Secret", namespace, tls.secret_name),
                    named,
                    key=key,
                    key_at=named,
                    optional=issues(ingress),
                    check=check_certificate,
                )
    if name := ingress.options.auth_secret:
        secret = Ref("Secret", namespace, name)
        yield Reference(secret, AUTH_AT, key=AUTH_KEY, key_at=AUTH_AT, check=check_key)


def _backends(spec: IngressSpec) -> Iterator[Finding]:
    for backend, at in backends_of(spec):
        here: Pointer = (*at, "port")
        if not backend.port.name and not backend.port.number:
            yield Finding(here, Code.MISSING_FIELD, "no port is named", "add its name or its number")
        elif backend.port.name and backend.port.number:
            message = "a port is named by its name or by its number"
            yield Finding(here, Code.CONFLICTING_FIELDS, message, "keep one of them")


def _rules(spec: IngressSpec) -> Iterator[Finding]:
    if spec.default_backend is None and not spec.rules:
        message = "it has neither rules nor a defaultBackend"
        yield Finding(("spec",), Code.MISSING_FIELD, message, "add one of them")
    taken: set[tuple[str, str, bool]] = set()
    for number, rule in enumerate(spec.rules):
        at: Pointer = ("spec", "rules", number)
        if _IPV4.fullmatch(rule.host):
            message = f"the host {rule.host} is an address; requests are told apart by names"
            yield Finding((*at, "host"), Code.INVALID_VALUE, message, "write a name, or leave the host out")
        if not rule.http.paths and spec.default_backend is None:
            message = "this rule has no paths, and there is no defaultBackend"
            yield Finding(at, Code.MISSING_FIELD, message, "add http.paths, or spec.defaultBackend")
        for index, path in enumerate(rule.http.paths):
            here: Pointer = (*at, "http", "paths", index)
            yield from _path(path, here)
            claim = (rule.host, _normal(path), path.path_type == "Exact")
            if claim in taken:
                message = "this host and path stand here twice"
                yield Finding((*here, "path"), Code.DUPLICATE_PATH, message, "remove one of them")
            taken.add(claim)


def _path(path: HTTPIngressPath, at: Pointer) -> Iterator[Finding]:
    if not path.path and path.path_type != "ImplementationSpecific":
        yield Finding(at, Code.MISSING_FIELD, f'"path" is missing, which {path.path_type} needs', "add it")
    if "//" in path.path or {".", ".."} & set(path.path.split("/")):
        message = "no request has `//`, `.` or `..` in its path"
        yield Finding((*at, "path"), Code.INVALID_VALUE, message, "write the path that remains without them")


def _normal(path: HTTPIngressPath) -> str:
    """A last slash makes a difference to Exact alone."""
    return path.path if path.path_type == "Exact" else path.path.rstrip("/")
