"""Which account an image is pulled with, and what an image's name is made of."""

import base64
import json

import pytest

from reconciler.model.secrets import SecretText
from reconciler.nodes.docker.registry_logins import login_for, registry_of, split_image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("web", ("web", "latest")),
        ("web:1.0", ("web", "1.0")),
        ("registry:5000/team/web", ("registry:5000/team/web", "latest")),
        ("registry:5000/team/web:1.0", ("registry:5000/team/web", "1.0")),
        ("web@sha256:abcd", ("web", "sha256:abcd")),
        ("registry:5000/web@sha256:abcd", ("registry:5000/web", "sha256:abcd")),
    ],
)
def test_an_image_is_a_name_and_a_tag_or_a_digest(image: str, expected: tuple[str, str]) -> None:
    assert split_image(image) == expected


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("web:1", "docker.io"),
        ("team/web", "docker.io"),
        ("docker.io/library/web", "docker.io"),
        ("index.docker.io/team/web", "docker.io"),
        ("registry.example.org/web", "registry.example.org"),
        ("localhost/web", "localhost"),
        ("registry:5000/web", "registry:5000"),
    ],
)
def test_the_registry_is_read_as_docker_reads_it(image: str, registry: str) -> None:
    assert registry_of(image) == registry


def config(**auths: object) -> SecretText:
    return SecretText(json.dumps({"auths": auths}))


def account(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:pass:word".encode()).decode()}


def user_for(image: str, *logins: SecretText) -> str:
    found = login_for(image, logins)
    if found is None:
        return ""
    body = json.loads(base64.urlsafe_b64decode(found.reveal()))
    assert body["password"] == "pass:word"
    return str(body["username"])


@pytest.mark.parametrize(
    ("image", "pattern", "matches"),
    [
        ("r.example.org/web:1", "r.example.org", True),
        ("r.example.org/web:1", "https://r.example.org/v2/", True),
        ("r.example.org/web:1", "*.example.org", True),
        ("a.r.example.org/web:1", "*.example.org", False),
        ("r.example.org/web:1", "*", False),
        ("r.example.org:5000/web:1", "r.example.org", False),
        ("r.example.org/team/web:1", "r.example.org/team", True),
        ("r.example.org/teams/web:1", "r.example.org/team", False),
        ("web", "https://index.docker.io/v1/", True),
        ("docker.io/team/web", "docker.io", True),
        ("team/web", "docker.io/team", True),
        ("web", "docker.io/library/web", True),
        ("web", "r.example.org", False),
    ],
)
def test_a_login_is_used_where_it_names_the_registry(image: str, pattern: str, matches: bool) -> None:
    assert user_for(image, config(**{pattern: account("me")})) == ("me" if matches else "")


def test_the_first_file_and_in_it_the_most_exact_entry_is_used() -> None:
    several = config(**{"r.example.org": account("all"), "r.example.org/team": account("team")})
    other = config(**{"r.example.org": account("other")})
    assert user_for("r.example.org/team/web", config(**{"x.org": account("x")}), several, other) == "team"
    assert user_for("r.example.org/web", several, other) == "all"


def test_plain_names_and_tokens_do_as_well_and_nonsense_is_no_login() -> None:
    plain = config(**{"r.org": {"username": "me", "password": "pass:word"}})
    assert user_for("r.org/web", plain) == "me"
    token = login_for("r.org/web", [config(**{"r.org": {"identitytoken": "t"}})])
    assert token is not None
    assert json.loads(base64.urlsafe_b64decode(token.reveal()))["identitytoken"] == "t"
    for nonsense in (
        "",
        "{",
        "[]",
        '{"auths": 3}',
        '{"auths": {"r.org": 3}}',
        '{"auths": {"r.org": {"auth": "%"}}}',
    ):
        assert login_for("r.org/web", [SecretText(nonsense)]) is None
