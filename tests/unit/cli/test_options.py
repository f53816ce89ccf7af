"""What words of the command line stand for."""

import click
import pytest

from reconciler.cli.options import ListenAt
from reconciler.settings import Listen


@pytest.mark.rule(6)
@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("9480", Listen("127.0.0.1", 9480)),
        ("0.0.0.0:9480", Listen("0.0.0.0", 9480)),
        ("localhost:1", Listen("localhost", 1)),
        ("[2001:db8::7]:65535", Listen("2001:db8::7", 65535)),
    ],
)
def test_a_port_alone_is_of_this_machine(word: str, meant: Listen) -> None:
    assert ListenAt().convert(word, None, None) == meant


@pytest.mark.parametrize("word", ["", ":9480", "0", "65536", "here", "1.2.3.4", "::1:9480", "http://x:1", "a b:1"])
def test_what_is_no_place_to_listen_is_told_how_to_write_one(word: str) -> None:
    with pytest.raises(click.BadParameter, match=r"0\.0\.0\.0:9480: for everybody"):
        ListenAt().convert(word, None, None)
