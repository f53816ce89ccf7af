"""Short digests: they tell whether two things differ, and nothing else about them."""

import hashlib

from reconciler.model.secrets import SecretText


def digest(*parts: str) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def file_digest(path: str, content: str | SecretText) -> str:
    """The same of a file's content; a secret's differs from path to path."""
    return content.fingerprint(path) if isinstance(content, SecretText) else digest(content)
