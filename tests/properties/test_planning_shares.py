"""What only one may have is given out so that nobody loses what they have."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.names import Ref
from reconciler.planning.allocation.service_ips import Ask, Shares, share_out

NUMBERS = range(1, 7)
numbers = st.integers(0, 6)


def shares(asks: dict[int, tuple[int, int]]) -> Shares[int, int]:
    """Each of an owner of its own: what it names, and what it had."""
    return share_out(
        {slot: Ask(Ref("Service", "", str(slot)), named, before) for slot, (named, before) in asks.items()},
        lambda slot: NUMBERS,
    )


@given(st.dictionaries(st.integers(0, 7), st.tuples(numbers, numbers), max_size=8))
def test_nothing_is_given_twice_or_taken_away(asks: dict[int, tuple[int, int]]) -> None:
    had = [before for _, before in asks.values() if before]
    result = shares(asks)
    assert len(set(result.given.values())) == len(result.given)
    for slot, (named, before) in asks.items():
        if before and named in (0, before) and had.count(before) == 1:
            assert result.given[slot] == before
        if named and slot not in result.refused:
            assert result.given[slot] == named
        if named and slot in result.refused:
            assert result.given.get(slot) in (None, before)
        if not named and slot not in result.given:
            assert set(result.given.values()) == set(NUMBERS), "only where none is left"


@given(st.dictionaries(st.integers(0, 7), st.tuples(numbers, numbers), max_size=8))
def test_asking_again_changes_nothing(asks: dict[int, tuple[int, int]]) -> None:
    first = shares(asks).given
    again = shares({slot: (named, first.get(slot, 0)) for slot, (named, _) in asks.items()}).given
    assert again == first


def test_an_owner_may_move_a_value_from_one_of_its_ports_to_another() -> None:
    owner = Ref("Service", "", "web")
    asks = {"http": Ask(owner, 0, 1), "https": Ask(owner, 1, 0)}
    assert share_out(asks, lambda slot: NUMBERS).given == {"http": 2, "https": 1}
