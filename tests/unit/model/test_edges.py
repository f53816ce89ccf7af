"""Which nodes are edges."""

import pytest

from reconciler.model.edges import LABEL_EDGE, edge_addresses, edges
from tests.simulated import node


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((None, None, None), ("a", "b", "c")),
        (("", None, None), ("a",)),
        (("true", None, "yes"), ("a", "c")),
        (("false", None, None), ("b", "c")),
        (("false", "true", None), ("b",)),
        (("false", "false", "false"), ()),
    ],
)
def test_edges_are_labelled_or_all_that_are_not_kept_out(
    labels: tuple[str | None, ...], expected: tuple[str, ...]
) -> None:
    nodes = {
        name: node(name, labels={} if value is None else {LABEL_EDGE: value})
        for name, value in zip("cba", reversed(labels), strict=True)
    }
    assert edges(nodes) == expected
    assert edge_addresses(nodes) == tuple(f"{name}.example" for name in expected)
