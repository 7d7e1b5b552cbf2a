"""Hash room passwords with a salt, so that the log does not contain them."""

from __future__ import annotations

import hashlib
import hmac

SCRYPT_COST = 1024
"""The cost parameter N of scrypt: a hash takes some milliseconds."""


def hash_password(password: str, salt: str) -> str:
    """Return salt and hash as one text, fit for an event."""
    digest = hashlib.scrypt(
        password.encode(), salt=salt.encode(), n=SCRYPT_COST, r=8, p=1, dklen=24
    )
    return f"{salt}:{digest.hex()}"


def verify_password(hashed: str, password: str) -> bool:
    """Return whether `password` has this hash; compares in constant time."""
    salt = hashed.partition(":")[0]
    return hmac.compare_digest(hashed, hash_password(password, salt))
