"""A container whose labels are its image's was not made by us."""

import pytest

from reconciler.nodes.docker.own_labels import is_own

LABELS = {"reconciler.dev/cluster": "shop", "reconciler.dev/uid": "u1", "reconciler.dev/container": "web"}
SYSTEM = {"reconciler.dev/cluster": "shop", "reconciler.dev/container": "PROXY"}


@pytest.mark.parametrize(
    ("labels", "images", "name", "own"),
    [
        (LABELS, {}, "shop_default_web_u1", True),
        (LABELS, {"reconciler.dev/cluster": "shop"}, "shop_default_web_u1", True),
        (LABELS, {**LABELS, "reconciler.dev/uid": "u0"}, "shop_default_web_u1", True),
        (LABELS, LABELS, "debugging", False),
        (SYSTEM, {}, "shop_proxy", True),
        (SYSTEM, SYSTEM, "shop_proxy", True),
        (SYSTEM, SYSTEM, "debugging", False),
        ({"reconciler.dev/cluster": "shop"}, {"reconciler.dev/cluster": "shop"}, "debugging", False),
    ],
)
def test_only_what_it_was_given_itself_counts(
    labels: dict[str, str], images: dict[str, str], name: str, own: bool
) -> None:
    assert is_own(labels, images, name) is own
