"""How a Secret is read from its manifest, so that no value of it is ever shown."""

import base64
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct, field

from reconciler.manifests.admission import Admission, ReadValue
from reconciler.manifests.checks.configuration import LOGIN_TYPE
from reconciler.manifests.codes import Code
from reconciler.manifests.findings import Finding
from reconciler.manifests.reading.decoding import Undecodable, decoded_base64
from reconciler.model.api.core.config import Secret
from reconciler.model.api.meta import ObjectMeta
from reconciler.model.desired import Json
from reconciler.model.names import Ref
from reconciler.model.secrets import SecretText

_LOGIN_KEY: Final = ".dockerconfigjson"


class _SecretForm(Struct, frozen=True, rename="camel"):
    metadata: ObjectMeta
    data: dict[str, str] = {}
    string_data: dict[str, str] = {}
    type: str = "Opaque"


def _decode(document: Json, read_value: ReadValue) -> Secret:
    form = msgspec.convert(document, _SecretForm, dec_hook=read_value)
    texts: dict[str, str] = {}
    binary: dict[str, SecretText] = {}
    problems = []
    for key, written in form.data.items():
        if (raw := decoded_base64(written)) is None:
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
        raw = (
            decoded_base64(login.auth) if login.auth else login.username.encode() + b":" + login.password.encode()
        )
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


def _text(raw: bytes) -> str | None:
    """What a variable could hold: UTF-8 without NUL."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _encode(fields: Json) -> Json:
    """Binary values stand among the others, as in a manifest."""
    if not (binary := fields.get("binaryData")):
        return fields
    rest = {name: value for name, value in fields.items() if name != "binaryData"}
    return {**rest, "data": {**rest.get("data", {}), **binary}}


def _contents(secret: Secret, ref: Ref) -> Mapping[str, str]:
    """Fingerprints of the values. A binary one begins with a NUL, which no text does: the two never look alike."""
    salt = str(ref)
    texts = {key: value.fingerprint(salt) for key, value in secret.data.items()}
    return texts | {key: "\0" + value.fingerprint(salt) for key, value in secret.binary_data.items()}


SECRET_ADMISSION = Admission(
    decode=_decode, encode=_encode, contents=_contents, confidential=True, counts_generations=False
)
