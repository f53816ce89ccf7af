"""Users and hashed passwords, as `htpasswd` and `mkpasswd` write them, and the hashes that HAProxy can check.

HAProxy asks the C library's crypt(3), at every request. Accepted is what every build of it knows and what is safe
to keep: bcrypt (`htpasswd -B`), SHA-256 and SHA-512 (`mkpasswd -m sha-512`), as long as one is cheap to check.
"""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from reconciler.model.secrets import SecretText

_USER: Final = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_HASH: Final = re.compile(
    r"\$2[aby]\$(?:0[4-9]|1[0-2])\$[./A-Za-z0-9]{53}"
    r"|\$5\$(?:rounds=[1-9][0-9]{3,4}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43}"
    r"|\$6\$(?:rounds=[1-9][0-9]{3,4}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86}"
)
_REFUSED: Final[Mapping[str, str]] = {
    "$apr1$": "Apache's MD5, which crypt(3) does not know",
    "{SHA}": "an unsalted SHA-1, which crypt(3) does not know",
    "{SSHA}": "a salted SHA-1, which crypt(3) does not know",
    "$1$": "an MD5, which is no protection any more",
    "$y$": "a yescrypt hash, which not every build of HAProxy can check",
    "$2": "a bcrypt hash that is damaged, or costs more than 12",
    "$5$": "a SHA-256 hash that is damaged, or has 100,000 rounds or more",
    "$6$": "a SHA-512 hash that is damaged, or has 100,000 rounds or more",
}
MOST_USERS: Final = 1000


class User(Struct, frozen=True):
    name: str
    hash: SecretText


def read_users(text: str) -> tuple[User, ...]:
    """One `user:hash` on each line; blank lines and comments are passed over.

    ValueError, with the line's number and without anything of what it holds.
    """
    users: dict[str, User] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, hashed = line.rstrip().partition(":")
        if not colon or _USER.fullmatch(name) is None:
            raise ValueError(f"line {number} is not `user:hash`, the user of letters, digits and `._@+-`")
        if _HASH.fullmatch(hashed) is None:
            known = next(
                (what for start, what in _REFUSED.items() if hashed.startswith(start)), "no hash, or a DES one"
            )
            raise ValueError(f"the password in line {number} is {known}")
        if name in users:
            raise ValueError(f"line {number} names a user again")
        users[name] = User(name, SecretText(hashed))
    if not users:
        raise ValueError("it names no user")
    if len(users) > MOST_USERS:
        raise ValueError(f"it names more than {MOST_USERS} users")
    return tuple(users.values())
