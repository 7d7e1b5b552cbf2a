"""Messages about invites."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from service.domain.ids import UserId
from service.protocol.base import DEFAULT_GAME, ToClientMessage, WireGame
from service.protocol.classic import User
from service.protocol.v1.base import V1Command

BotLevel: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=9)]


class InviteReceived(
    ToClientMessage, frozen=True, tag="invite:received", rename={"inviter": "from"}
):
    """A user invites you to a match; has a `position`."""

    inviter: User
    game: str


class InviteSent(ToClientMessage, frozen=True, tag="invite:sent"):
    """A pending invite of your own; part of the present state, as after a reload."""

    to: User
    game: str


class InviteExpired(ToClientMessage, frozen=True, tag="invite:expired", rename={"inviter": "from"}):
    """An invite expired without an answer; sent to both users; has a `position`."""

    inviter: UserId
    to: UserId


class MatchmakingAcceptBot(V1Command, frozen=True, tag="matchmaking:acceptBot"):
    """Plays against the bot that was offered by `matchmaking:botOffer`, instead of waiting on."""

    game: WireGame = DEFAULT_GAME
    level: BotLevel = 1


class MatchmakingBotOffer(ToClientMessage, frozen=True, tag="matchmaking:botOffer"):
    """No opponent was found for a while: a bot is offered; has a `position`.

    The search goes on. `matchmaking:acceptBot` accepts with a level from 1 to `levels`.
    """

    game: str
    levels: int
