"""Hash room passwords with a salt, so that the log does not contain them."""

from __future__ import annotations

import hashlib
import hmac

SCRYPT_COST = 1024
"""The cost of scrypt: some milliseconds of a thread."""


def hash_password(password: str, salt: str) -> str:
    """Return what may stand in an event."""
    digest = hashlib.scrypt(
        password.encode(), salt=salt.encode(), n=SCRYPT_COST, r=8, p=1, dklen=24
    )
    return f"{salt}:{digest.hex()}"


def verify_password(sealed: str, password: str) -> bool:
    """Tell whether `password` is the one that was sealed."""
    salt = sealed.partition(":")[0]
    return hmac.compare_digest(sealed, hash_password(password, salt))
