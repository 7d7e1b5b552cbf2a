"""Clean display names, and make placeholders for users without one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.domain.ids import UserId


# Controls, what has no width or no ink, what turns the text around it, and halves of surrogate
# pairs, which JSON can write and nobody can encode.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\uffa0\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


# Spaces, and the joiners: those belong between characters, of Persian and of pictures for example.
_ENDS = "\u200c\u200d" + "".join(filter(str.isspace, map(chr, range(0x3001))))


def clean_name(raw: str) -> str:
    """Take out what can't be shown or turns the text around it, and the spaces at the ends."""
    return _UNSEEN.sub("", raw).strip(_ENDS)


def placeholder_name(user: UserId) -> str:
    """Return what a user is called whose name is not known: `User#<id>`, as far as it shows."""
    return f"User#{user}" if isinstance(user, int) else f"User#{clean_name(user)}"
