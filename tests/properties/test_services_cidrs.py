"""Sets of addresses: what is in them, and not how they are written, counts."""

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from reconciler.services.cidrs import EVERYTHING, Ranges, cidrs_of, intersection, ranges_of, union, without

small = st.builds(
    lambda address, prefix: str(IPv4Network((0x0A000000 + address, prefix), strict=False)),
    st.integers(0, 255),
    st.integers(26, 32),
)
sets = st.lists(small, max_size=6).map(ranges_of)


def members(ranges: Ranges) -> set[int]:
    return {address for first, last in ranges for address in range(first, last + 1)}


@given(sets, sets)
def test_they_are_sets(one: Ranges, other: Ranges) -> None:
    assert members(union(one, other)) == members(one) | members(other)
    assert members(intersection(one, other)) == members(one) & members(other)
    assert members(without(one, other)) == members(one) - members(other)


@given(sets)
def test_writing_and_reading_changes_nothing(ranges: Ranges) -> None:
    assert ranges_of(cidrs_of(ranges)) == ranges
    assert union(ranges, without(EVERYTHING, ranges)) == EVERYTHING


@given(st.lists(small, max_size=6))
def test_no_network_is_written_twice(cidrs: list[str]) -> None:
    written = [IPv4Network(cidr) for cidr in cidrs_of(ranges_of(cidrs))]
    assert sum(network.num_addresses for network in written) == len(members(ranges_of(cidrs)))
