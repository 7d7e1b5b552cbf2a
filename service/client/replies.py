"""Match acks and errors to the commands that wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.client.retry import RETRY_FIRST_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.client.commands import Commands, PendingCommand
    from service.client.memory import Greeting, Joins, Message

REPLY_TYPES = frozenset({"ack", "pong", "error"})

TRANSIENT_ERRORS = frozenset({"RATE_LIMITED", "UNAVAILABLE"})
"""Errors that pass: the same command may be carried out a little later."""


class CommandReplies:
    """Finds the command that a message answers."""

    def __init__(
        self, commands: Commands, joins: Joins, greeting: Greeting, jitter: Callable[[], float]
    ) -> None:
        """Answer `commands`, and note in `joins` which rooms they have joined or left."""
        self._commands = commands
        self._joins = joins
        self._greeting = greeting
        self._jitter = jitter

    def take(self, message: Message) -> bool:
        """Tell whether a message answers a command, so that nobody else is to hear of it.

        An ack that nobody waits for any more is told nobody.
        """
        if message["type"] not in REPLY_TYPES:
            return False
        id_ = message.get("id")
        rejoin = self._commands.find_rejoin(id_)
        if message.get("code") in TRANSIENT_ERRORS and self._try_again(message, rejoin):
            return rejoin is None and id_ is not None
        if rejoin is not None:
            self._commands.rejoined(rejoin)
            if message["type"] == "error":
                self._joins.refused(rejoin.command["roomId"])
            return bool(message["type"] == "ack")
        pending = self._commands.find(id_)
        command = self._commands.take_late(id_) if pending is None else pending.command
        if command is not None and message["type"] == "ack":
            # Whoever gave up waiting has joined the room all the same.
            self._joins.answered(command, message)
        if pending is None:
            return bool(message["type"] == "ack")
        pending.answer.set_result(message)
        return True

    def _try_again(self, error: Message, rejoin: PendingCommand | None) -> bool:
        """Send what can't be carried out just now a little later; tell whether that is so."""
        pause_s = RETRY_FIRST_S * (1 + self._jitter())
        refused = rejoin or self._commands.find(error.get("id"))
        if refused is not None:
            self._commands.pause(refused, pause_s)
        elif "id" not in error and not self._greeting.knows("error_ids"):
            # An older service may not know the id of a message above the rate: it may be any.
            self._commands.pause(None, pause_s)
        return refused is not None
