"""Sets of addresses: what is in them, and not how they are written, counts."""

from ipaddress import IPv4Address, IPv4Network, collapse_addresses, summarize_address_range

from hypothesis import given
from hypothesis import strategies as st

from reconciler.services.cidrs import EVERYTHING, Ranges, cidrs_of, holds, intersection, ranges_of, union, without

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


anywhere = st.builds(
    lambda address, prefix: str(IPv4Network((address, prefix), strict=False)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@given(st.lists(anywhere, max_size=6), st.integers(0, 2**32 - 1))
def test_the_standard_library_says_the_same(cidrs: list[str], address: int) -> None:
    ranges = ranges_of(cidrs)
    assert cidrs_of(ranges) == tuple(map(str, collapse_addresses(map(IPv4Network, cidrs))))
    for each in (address, *(edge for first, last in ranges for edge in (first - 1, first, last, last + 1))):
        within = any(0 <= each < 2**32 and IPv4Address(each) in IPv4Network(cidr) for cidr in cidrs)
        assert holds(ranges, each) == within


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_any_range_is_the_fewest_networks(one: int, other: int) -> None:
    first, last = min(one, other), max(one, other)
    fewest = summarize_address_range(IPv4Address(first), IPv4Address(last))
    assert cidrs_of(((first, last),)) == tuple(map(str, fewest))
