"""Sanitise display names, and make placeholders for users without one."""

from __future__ import annotations

import re

from service.domain.ids import UserId, bot_level, bot_name, is_bot

# Control and zero-width characters, blank letters, direction marks, and lone surrogates, which JSON
# can contain but UTF-8 cannot encode.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\uffa0\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


# Spaces and joiners. Joiners are allowed between characters, as in Persian and in emoji sequences.
_ENDS = "\u200c\u200d" + "".join(filter(str.isspace, map(chr, range(0x3001))))


def clean_name(raw: str) -> str:
    """Remove invisible characters and direction marks, and strip spaces at both ends."""
    return _UNSEEN.sub("", raw).strip(_ENDS)


def placeholder_name(user: UserId) -> str:
    """Return the display name of a user without a known one: `User#<id>`, with the id sanitised.

    That of a bot is its name and level.
    """
    if is_bot(user):
        return f"{bot_name(user).capitalize()} (bot, level {bot_level(user)})"
    return f"User#{user}" if isinstance(user, int) else f"User#{clean_name(user)}"
