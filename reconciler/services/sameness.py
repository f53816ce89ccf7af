"""Whether what something follows from says the same as before, at no cost where it is the very same."""

from msgspec import Struct


def says_the_same(one: Struct, other: Struct | None) -> bool:
    """`==` of two values of one type, but that a part which is the very part of the other is not looked into:
    mappings of a whole cluster are compared only where they are two."""
    return other is not None and all(
        mine is others or _is_equal(mine, others)
        for mine, others in ((getattr(one, name), getattr(other, name)) for name in one.__struct_fields__)
    )


def _is_equal(mine: object, others: object) -> bool:
    if isinstance(mine, Struct) and isinstance(others, Struct) and type(mine) is type(others):
        return says_the_same(mine, others)
    return mine == others
