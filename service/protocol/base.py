"""Base classes and types of all messages."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec

DEFAULT_GAME = "pong"
"""The game of messages that do not name one, as those of classic clients."""

COMMAND_ID_LENGTH_MAX = 64

WireRoomId: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
WireGame: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class FromClientMessage(
    msgspec.Struct, frozen=True, tag_field="type", rename="camel", kw_only=True
):
    """A message from a client."""

    id: Any = None
    """In protocol v1, the command id: a text of 1 to 64 characters, which the reply repeats."""


class ToClientMessage(msgspec.Struct, frozen=True, tag_field="type", rename="camel", gc=False):
    """A message to a client."""
