"""Dates by arithmetic: against what Python's own library says of them."""

from datetime import UTC, datetime

import pytest

from reconciler.model.moments import rfc3339, unix_seconds
from reconciler.reporting.describing.page import moment

TEXTS = ["1970-01-02T00:00:01Z", "2000-02-29T23:59:59Z", "2024-02-29T12:00:00Z", "2026-11-23T12:40:01Z"]


@pytest.mark.parametrize("text", TEXTS)
def test_there_and_back(text: str) -> None:
    assert unix_seconds(text) == datetime.fromisoformat(text).timestamp()
    assert rfc3339(unix_seconds(text)) == text


@pytest.mark.parametrize("text", TEXTS)
def test_for_people(text: str) -> None:
    expected = datetime.fromisoformat(text).astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    assert moment(unix_seconds(text)) == expected


def test_what_is_not_known() -> None:
    assert (unix_seconds(""), unix_seconds("yesterday"), rfc3339(0), moment(0)) == (0.0, 0.0, "", "")


def test_a_docker_hosts_fractions_are_kept() -> None:
    assert unix_seconds("2026-11-23T12:40:01.250000000Z") % 1 == 0.25
