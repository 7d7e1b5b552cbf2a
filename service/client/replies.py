"""Match acks and errors to pending commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.client.retry import RETRY_FIRST_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.client.commands import Commands, PendingCommand
    from service.client.state import FrameRate, GreetingBuffer, JoinedRooms, Message

REPLY_TYPES = frozenset({"ack", "pong", "error"})

TRANSIENT_ERRORS = frozenset({"RATE_LIMITED", "UNAVAILABLE"})
"""Errors after which the same command is sent again a little later."""


class CommandReplies:
    """Resolves pending commands by the messages that answer them."""

    def __init__(
        self,
        commands: Commands,
        joins: JoinedRooms,
        frame_rate: FrameRate,
        greeting: GreetingBuffer,
        jitter: Callable[[], float],
    ) -> None:
        """Resolve `commands`, and record what they have changed in `joins` and `frame_rate`."""
        self._commands = commands
        self._joins = joins
        self._frame_rate = frame_rate
        self._greeting = greeting
        self._jitter = jitter

    def take(self, message: Message) -> bool:
        """Handle a reply; return whether the message is consumed, so it is not passed on.

        An ack is consumed even if its caller has given up waiting.
        """
        if message["type"] not in REPLY_TYPES:
            return False
        id_ = message.get("id")
        rejoin = self._commands.find_rejoin(id_)
        if message.get("code") in TRANSIENT_ERRORS and self._retry_later(message, rejoin):
            return rejoin is None and id_ is not None
        if rejoin is not None:
            self._commands.rejoined(rejoin)
            if message["type"] == "error":
                self._joins.refused(rejoin.command["roomId"])
            return bool(message["type"] == "ack")
        pending = self._commands.find(id_)
        command = self._commands.take_late(id_) if pending is None else pending.command
        if command is not None and message["type"] == "ack":
            # The room was joined even if the caller has given up waiting.
            self._joins.answered(command, message)
            self._frame_rate.answered(command)
        if pending is None:
            return bool(message["type"] == "ack")
        pending.answer.set_result(message)
        return True

    def _retry_later(self, error: Message, rejoin: PendingCommand | None) -> bool:
        """Send the refused command again a little later; return whether there is such a command."""
        pause_s = RETRY_FIRST_S * (1 + self._jitter())
        refused = rejoin or self._commands.find(error.get("id"))
        if refused is not None:
            self._commands.pause(refused, pause_s)
        elif "id" not in error and not self._greeting.knows("error_ids"):
            # A 0.1.0 service leaves the id out above the rate limit: it may be any command.
            self._commands.pause(None, pause_s)
        return refused is not None
