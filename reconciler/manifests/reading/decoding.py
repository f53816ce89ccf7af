"""From a document that its schema accepts to the typed object it describes."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from reconciler.manifests.annotations.ingress import read_options
from reconciler.manifests.annotations.service import read_service_options
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding, Pointer
from reconciler.manifests.schemas import KindSchema
from reconciler.manifests.yaml.canonical_values import in_our_form
from reconciler.model.api.apps import Deployment
from reconciler.model.api.cluster import Cluster
from reconciler.model.api.core.config import ConfigMap, Secret
from reconciler.model.api.core.namespace import Namespace
from reconciler.model.api.core.node import Node, NodeSpec, SshAddress
from reconciler.model.api.core.persistent_volume_claim import PersistentVolumeClaim
from reconciler.model.api.core.pod import Pod
from reconciler.model.api.core.service import Service, ServiceSpec
from reconciler.model.api.discovery import EndpointSlice
from reconciler.model.api.meta import Object, ObjectMeta
from reconciler.model.api.networking import Ingress, IngressSpec, NetworkPolicy
from reconciler.model.ingress import is_served_here
from reconciler.model.names import ANNOTATION_HOST_KEY, ANNOTATION_SSH, CLUSTER_SCOPED
from reconciler.model.problems import Severity
from reconciler.model.quantities import Quantity
from reconciler.model.secrets import SecretText

DEFAULT_NAMESPACE: Final = "default"
LOGIN_TYPE: Final = "kubernetes.io/dockerconfigjson"
_LOGIN_KEY: Final = ".dockerconfigjson"

_TYPES: Final[dict[str, type[Object]]] = {
    "Cluster": Cluster,
    "Namespace": Namespace,
    "Pod": Pod,
    "Deployment": Deployment,
    "EndpointSlice": EndpointSlice,
    "NetworkPolicy": NetworkPolicy,
    "PersistentVolumeClaim": PersistentVolumeClaim,
}


class Undecodable(Exception):
    """The schema accepts the document, and yet it means nothing; carries every finding."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__(*findings)
        self.findings = findings


class Decoder:
    """Remembers the quantities it has read: a revision repeats a few of them thousands of times."""

    def __init__(self, schemas: Mapping[str, KindSchema]) -> None:
        self._schemas = schemas
        self._quantities: dict[str, Quantity] = {}

    def decode(self, kind: str, document: dict[str, Any]) -> Object:
        """Of a document that its schema accepts. Raises Undecodable."""
        try:
            return self._decode(kind, document)
        except msgspec.ValidationError:  # a number like 1.0, which is whole to the schema
            return self._decode(kind, in_our_form(self._schemas[kind].schema, document))

    def _decode(self, kind: str, document: dict[str, Any]) -> Object:
        if kind not in CLUSTER_SCOPED and not document["metadata"].get("namespace"):
            document = {**document, "metadata": {**document["metadata"], "namespace": DEFAULT_NAMESPACE}}
        if kind == "Node":
            return _node(document)
        if kind == "Secret":
            return _secret(document)
        if kind == "ConfigMap":
            return _config_map(document)
        if kind == "Service":
            return _service(document)
        if kind == "Ingress":
            return _ingress(document)
        return msgspec.convert(document, _TYPES[kind], dec_hook=self._value)

    def _value(self, wanted: type, written: Any) -> Quantity:
        """Quantities are the one type that msgspec asks about."""
        text = str(written)  # 1 and 1.0 would be one key
        if (known := self._quantities.get(text)) is None:
            known = self._quantities[text] = Quantity.parse(text)
        return known


class _NodeForm(Struct, frozen=True):
    metadata: ObjectMeta
    spec: NodeSpec = NodeSpec()


class _ServiceForm(Struct, frozen=True):
    metadata: ObjectMeta
    spec: ServiceSpec


class _IngressForm(Struct, frozen=True):
    metadata: ObjectMeta
    spec: IngressSpec


class _ConfigMapForm(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}


class _SecretForm(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    data: dict[str, str] = {}
    string_data: dict[str, str] = {}
    type: str = "Opaque"


def _node(document: dict[str, Any]) -> Node:
    """Where the address names no user or port, they are "" and 0 until the Cluster's defaults are known."""
    form = msgspec.convert(document, _NodeForm)
    notes = form.metadata.annotations
    host_key = notes.get(ANNOTATION_HOST_KEY, "")
    problems = []
    address = _address(notes[ANNOTATION_SSH])
    if address is None:
        at: Pointer = ("metadata", "annotations", ANNOTATION_SSH)
        problems.append(Finding(at, Code.INVALID_ADDRESS, "the port is not a port", "write one from 1 to 65535"))
    if host_key and not _is_key(host_key):
        message = "the key's text is cut short or damaged"
        fix = "copy one line of `ssh-keyscan HOST` without the host's name"
        at = ("metadata", "annotations", ANNOTATION_HOST_KEY)
        problems.append(Finding(at, Code.INVALID_HOST_KEY, message, fix))
    if problems or address is None:
        raise Undecodable(*problems)
    return Node(metadata=form.metadata, ssh=address, host_key=" ".join(host_key.split()[:2]), spec=form.spec)


def _service(document: dict[str, Any]) -> Service:
    form = msgspec.convert(document, _ServiceForm)
    options, findings = read_service_options(form.metadata.annotations)
    if findings:
        raise Undecodable(*findings)
    return Service(form.metadata, form.spec, options)


def _ingress(document: dict[str, Any]) -> Ingress:
    form = msgspec.convert(document, _IngressForm)
    if not is_served_here(ingress := Ingress(form.metadata, form.spec)):
        return ingress
    options, findings = read_options(form.metadata.annotations)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise Undecodable(*findings)
    return Ingress(form.metadata, form.spec, options)


def _address(text: str) -> SshAddress | None:
    user, _, place = text.removeprefix("ssh://").rpartition("@")
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    if not colon:
        return SshAddress(user, place.strip("[]"), 0)
    return SshAddress(user, host.strip("[]"), int(port)) if 0 < int(port) < 65536 else None


def _is_key(text: str) -> bool:
    """The algorithm is written twice, in the open and as the first field of the blob; both must agree."""
    algorithm, blob = text.split()[:2]
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error:
        return False
    start = len(algorithm).to_bytes(4, "big") + algorithm.encode()
    return raw.startswith(start) and len(raw) > len(start) + 4


def _secret(document: dict[str, Any]) -> Secret:
    form = msgspec.convert(document, _SecretForm)
    texts: dict[str, str] = {}
    binary: dict[str, SecretText] = {}
    problems = []
    for key, written in form.data.items():
        if (raw := _bytes(written)) is None:
            fix = "encode it, or move it to `stringData`, which takes it as it is"
            problems.append(Finding(("data", key), Code.NOT_BASE64, "this value is not base64", fix))
        elif (text := _text(raw)) is not None:
            texts[key] = text
        elif key not in form.string_data:
            binary[key] = SecretText(base64.b64encode(raw).decode())
    texts |= form.string_data
    if form.type == LOGIN_TYPE and not problems and (why := _not_a_login(texts.get(_LOGIN_KEY))):
        fix = """write what `docker login` writes: {"auths": {"REGISTRY": {"auth": base64 of "user:password"}}}"""
        problems.append(Finding(("type",), Code.INVALID_LOGIN, why, fix))
    if problems:
        raise Undecodable(*problems)
    data = {key: SecretText(text) for key, text in texts.items()}
    return Secret(metadata=form.metadata, data=data, type=form.type, binary_data=binary)


def _not_a_login(text: str | None) -> str:
    """Why it is no Docker config file with a login, without any of its values; empty where it is one."""
    if text is None:
        return f"a Secret of this type has the key {_LOGIN_KEY}"
    try:
        logins = msgspec.json.decode(text, type=_DockerConfig).auths
    except msgspec.DecodeError:
        return f"the value of {_LOGIN_KEY} is not a Docker config file"
    for login in logins.values():
        raw = _bytes(login.auth) if login.auth else login.username.encode() + b":" + login.password.encode()
        user, colon, password = (raw or b"").partition(b":")
        if not (login.identity_token or (user and colon and password)):
            return f"a login in {_LOGIN_KEY} has no user and password"
    return ""


class _Login(Struct, frozen=True):
    auth: str = ""
    username: str = ""
    password: str = ""
    identity_token: str = field(default="", name="identitytoken")


class _DockerConfig(Struct, frozen=True):
    auths: dict[str, _Login]


def _config_map(document: dict[str, Any]) -> ConfigMap:
    form = msgspec.convert(document, _ConfigMapForm)
    binary: dict[str, bytes] = {}
    problems = []
    for key, written in form.binary_data.items():
        at: Pointer = ("binaryData", key)
        if key in form.data:
            message = "this key is in `data`, too"
            problems.append(Finding(at, Code.CONFLICTING_FIELDS, message, "keep one of them"))
        if (raw := _bytes(written)) is None:
            fix = "encode it, or move it to `data`, which takes it as it is"
            problems.append(Finding(at, Code.NOT_BASE64, "this value is not base64", fix))
        else:
            binary[key] = raw
    if problems:
        raise Undecodable(*problems)
    return ConfigMap(metadata=form.metadata, data=form.data, binary_data=binary)


def _bytes(written: str) -> bytes | None:
    try:
        return base64.b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _text(raw: bytes) -> str | None:
    """What a variable could hold: UTF-8 without NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
