"""The messages that follow from what is said in a chat."""

from __future__ import annotations

from collections.abc import Iterator

from service.domain.events.chat import ChatSaid
from service.domain.projections.world import World
from service.fanout.audience import Delivery, Message, SaidInLobby, Users
from service.fanout.profiles import Profiles
from service.protocol import v1


def chat_said(event: ChatSaid, world: World, profiles: Profiles) -> Iterator[Message]:
    """Return the message to those who hear its author; none once its text was erased."""
    text = profiles.texts.get(event.chat)
    if text is None:
        return
    author = profiles.user(event.author)
    if event.room is not None:
        message = v1.ChatMessage(event.chat, author, text, room_id=event.room)
        members = world.rooms.rooms[event.room].members
    elif event.to is None:
        yield SaidInLobby(v1.ChatMessage(event.chat, author, text))
        return
    else:
        message = v1.ChatMessage(event.chat, author, text, to=event.to)
        members = [event.to, event.author]
    hearing = [user for user in dict.fromkeys(members) if world.chat.hears(user, event.author)]
    yield Delivery(Users(tuple(hearing)), v1=message, durable=True)
