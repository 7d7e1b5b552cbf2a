"""Hash room passwords with a salt, so that the log does not contain them."""

from __future__ import annotations

import hashlib
import hmac

WORK = 1024
"""The cost of scrypt: some milliseconds of a thread."""


def seal(password: str, salt: str) -> str:
    """Return what may stand in an event."""
    digest = hashlib.scrypt(password.encode(), salt=salt.encode(), n=WORK, r=8, p=1, dklen=24)
    return f"{salt}:{digest.hex()}"


def opens(sealed: str, password: str) -> bool:
    """Tell whether `password` is the one that was sealed."""
    salt = sealed.partition(":")[0]
    return hmac.compare_digest(sealed, seal(password, salt))
