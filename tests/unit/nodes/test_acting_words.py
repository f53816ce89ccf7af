"""Small decisions of acting: what an image's name is made of."""

import pytest

from reconciler.nodes.acting import split_image


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
