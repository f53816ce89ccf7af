"""Addresses and names are checked before libgit2 sees them."""

from pathlib import Path

import pytest

from reconciler.sources.git import GitSource
from reconciler.sources.git_address import (
    GitTarget,
    LocalAddress,
    RemoteAddress,
    check_subpath,
    check_target,
    parse_address,
)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://example.com/shop.git", "https://example.com/shop.git"),
        ("https://example.com:8443/a/b", "https://example.com:8443/a/b"),
        ("ssh://deploy@example.com/shop.git", "ssh://deploy@example.com:22/shop.git"),
        ("ssh://example.com:2222/~/shop", "ssh://git@example.com:2222/~/shop"),
        ("git@example.com:team/shop.git", "ssh://git@example.com:22/team/shop.git"),
        ("ssh://[::1]/shop", "ssh://git@[::1]:22/shop"),
    ],
)
def test_https_and_ssh_are_understood(written: str, url: str) -> None:
    address = parse_address(written)
    assert isinstance(address, RemoteAddress)
    assert address.url == url


@pytest.mark.parametrize("written", ["/srv/shop.git", "file:///srv/shop.git"])
def test_a_path_is_a_local_repository(written: str) -> None:
    assert parse_address(written) == LocalAddress(Path("/srv/shop.git"))


def test_a_relative_path_is_a_local_repository() -> None:
    assert parse_address("./shop") == LocalAddress(Path.cwd() / "shop")


@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "ext::sh -c 'touch x'",
        "ext::sh",
        "-oProxyCommand=touch x",
        "--upload-pack=touch",
        "ssh://-oProxyCommand=touch/x",
        "ssh://git@-oProxyCommand=x/y",
        "ssh://-l@example.com/x",
        "ssh://git@exa mple.com/x",
        "https://example.com/x\n.git",
        "https://example.com/\x1b[31m",
        "http://example.com/shop",
        "git://example.com/shop",
        "file://example.com/shop",
        "https://example.com",
        "https://example.com:port/x",
        "ssh://example.com/x?y",
    ],
)
def test_what_is_no_address_is_refused(hostile: str) -> None:
    with pytest.raises(ValueError):
        parse_address(hostile)


@pytest.mark.rule(7)
@pytest.mark.parametrize("url", ["https://user:canary@example.com/x", "ssh://git:canary@example.com/x"])
def test_a_credential_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="use a key or a token") as refusal:
        parse_address(url)
    assert "canary" not in str(refusal.value)


@pytest.mark.fault(39)
@pytest.mark.rule(5)
@pytest.mark.parametrize(
    "target",
    [
        GitTarget(branch="main", tag="v1"),
        GitTarget(branch="-oProxyCommand=x"),
        GitTarget(branch="main..other"),
        GitTarget(branch="main@{upstream}"),
        GitTarget(branch="main:refs/heads/other"),
        GitTarget(branch="refs/heads/*"),
        GitTarget(branch="a b"),
        GitTarget(branch="a\x1bb"),
        GitTarget(tag="--exec"),
        GitTarget(tag="v1^{}"),
        GitTarget(commit="HEAD"),
        GitTarget(commit="abc123"),
        GitTarget(commit="-" * 40),
    ],
)
def test_what_is_no_plain_name_is_refused(target: GitTarget) -> None:
    with pytest.raises(ValueError):
        check_target(target)


def test_usual_names_are_accepted() -> None:
    for name in ("main", "release/1.2", "feature/über-42", "v1.0.0"):
        assert check_target(GitTarget(branch=name)).branch == name


@pytest.mark.rule(1)
@pytest.mark.parametrize("subpath", ["..", "a/../../b", "a\\b", "a\nb"])
def test_a_path_out_of_the_repository_is_refused(subpath: str) -> None:
    with pytest.raises(ValueError):
        check_subpath(subpath)


def test_a_path_is_taken_without_its_slashes() -> None:
    assert check_subpath("/k8s/./prod/") == "k8s/prod"


def test_a_source_refuses_a_bad_address_at_once() -> None:
    with pytest.raises(ValueError):
        GitSource("ext::sh")
