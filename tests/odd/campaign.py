"""Send odd messages, and check each answer.

After each message goes a mark that is always answered, so what comes before that answer is what
the message was answered with. Messages and marks are sent many at once.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from tests.odd.messages import AS_IT_SHOULD_BE, Odd
from tests.odd.raw_socket import RawSocket, SocketEnded
from tests.odd.values import UNCLOSED

AT_ONCE = 16

LATE = "USER_SERVICE_UNAVAILABLE"
"""The answer to `ASKS_ELSEWHERE`, which comes when the user service has been asked."""

ASKS_ELSEWHERE = "friends:status:request"

FAULTS = {"INTERNAL_ERROR", "UNAVAILABLE", "RATE_LIMITED"}
"""What no message of a campaign may be answered with; its service has no tight limits."""


_numbers = itertools.count(1)


class OddReply(NamedTuple):
    """The answer to a message: `ack`, `error` or `pong`."""

    type: str
    id: str | None = None
    code: str = ""
    text: str = ""
    room: str | None = None


class Speaker(Protocol):
    """How one dialect is spoken."""

    name: str

    def message(self, odd: Odd, number: int) -> str:
        """Write an odd message."""

    def mark(self, number: int) -> str:
        """Write what is surely answered."""

    def is_marked(self, answer: OddReply, number: int) -> bool:
        """Return whether this answers the mark."""

    def read(self, text: str) -> OddReply | None:
        """Read an answer; None is news."""

    def wrong(self, odd: Odd, number: int, answers: Sequence[OddReply]) -> str | None:
        """Say what is wrong with the answers to a message."""

    def leave(self, room: str) -> str | None:
        """Write that a room that was made is left again."""


def _count(answers: Sequence[OddReply], least: int, most: int) -> str | None:
    if least <= len(answers) <= most:
        return None
    return f"{len(answers)} answers: {[*answers]}"


def _least(odd: Odd) -> int:
    return 0 if odd.type == ASKS_ELSEWHERE else 1


class V1:
    """Protocol v1: each command with an id is answered once, under that id."""

    name = "v1"

    def message(self, odd: Odd, number: int) -> str:
        """Write it with an id, before or after the rest; where the id is odd, without another."""
        if odd.field == "id":
            return odd.text()
        # What follows an unterminated value is unknown.
        id_first = number % 2 == 0 or odd.value in UNCLOSED
        return odd.text(id_=f"i{number}", id_first=id_first)

    def mark(self, number: int) -> str:
        return f'{{"type":"ping","id":"m{number}"}}'

    def is_marked(self, answer: OddReply, number: int) -> bool:
        return answer.id == f"m{number}"

    def read(self, text: str) -> OddReply | None:
        if not text.startswith(('{"type":"ack"', '{"type":"error"', '{"type":"pong"')):
            return None
        fields = json.loads(text)
        return OddReply(
            fields["type"],
            fields.get("id"),
            fields.get("code", ""),
            fields.get("message", ""),
            fields.get("roomId"),
        )

    def wrong(self, odd: Odd, number: int, answers: Sequence[OddReply]) -> str | None:
        if odd.field == "id":
            # Without an id that is one, a command that was carried out is not answered.
            return _count(answers, 0 if odd.is_json else 1, 1)
        strange = [answer for answer in answers if answer.id != f"i{number}"]
        return f"not its id: {strange}" if strange else _count(answers, _least(odd), 1)

    def leave(self, room: str) -> str | None:
        return json.dumps({"type": "room:leave", "roomId": room, "id": f"l{next(_numbers)}"})


class Classic:
    """The classic contract: an error for what is wrong, and news at most for what is right."""

    name = "classic"

    def message(self, odd: Odd, number: int) -> str:
        return odd.text() if odd.field == "id" else odd.text(id_=f"i{number}")

    def mark(self, number: int) -> str:
        return f'{{"type":"mark{number}"}}'

    def is_marked(self, answer: OddReply, number: int) -> bool:
        return answer.code == "UNKNOWN_TYPE" and f"'mark{number}'" in answer.text

    def read(self, text: str) -> OddReply | None:
        if not text.startswith('{"type":"error"'):
            return None
        fields = json.loads(text)
        return OddReply("error", fields.get("id"), fields["code"], fields["message"])

    def wrong(self, odd: Odd, _number: int, answers: Sequence[OddReply]) -> str | None:
        if any(answer.id is not None for answer in answers):
            return f"an id: {[*answers]}"
        return _count(answers, 0 if odd.is_json else 1, 1)

    def leave(self, _room: str) -> str | None:
        return None


class SocketIo:
    """Socket.IO: each event is acknowledged once, under its number."""

    name = "Socket.IO"

    def message(self, odd: Odd, number: int) -> str:
        return f'42{number}["{odd.type}",{odd.object}]'

    def mark(self, number: int) -> str:
        return f'42{number}["mark"]'

    def is_marked(self, answer: OddReply, number: int) -> bool:
        return answer.id == str(number)

    def read(self, text: str) -> OddReply | None:
        if text.startswith("43"):
            id_, _, rest = text[2:].partition("[")
            (answer,) = json.loads(f"[{rest}")
            error = answer.get("error", {})
            type_ = "error" if error else "ack"
            return OddReply(type_, id_, error.get("code", ""), error.get("message", ""))
        if text.startswith('42["error"'):
            fields: dict[str, Any] = json.loads(text[2:])[1]
            return OddReply("error", None, fields["code"], fields["message"])
        return None

    def wrong(self, odd: Odd, number: int, answers: Sequence[OddReply]) -> str | None:
        strange = [answer for answer in answers if answer.id != str(number)]
        return f"not its number: {strange}" if strange else _count(answers, _least(odd), 1)

    def leave(self, _room: str) -> str | None:
        return None


SPEAKERS: tuple[tuple[Speaker, str], ...] = (
    (V1(), "FromV1Client"),
    (Classic(), "FromClassicClient"),
    (SocketIo(), "FromClassicClient"),
)
"""All dialects, and the union of the schemas of what is said in each."""


async def greeted(url: str, speaker: Speaker, token: str) -> RawSocket:
    """Open a socket of a dialect, and read its greeting."""
    if isinstance(speaker, SocketIo):
        socket = await RawSocket.open(url, "/socket.io/?EIO=4&transport=websocket")
        socket.send(f"40{json.dumps({'token': token})}")
        await socket.until('42["user:list"')
    else:
        protocols = ("ws-service.v1",) if isinstance(speaker, V1) else ()
        socket = await RawSocket.open(url, f"/?token={token}", protocols)
        await socket.message("user:list")
    return socket


class Outcome:
    """What a campaign has found."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.sent: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.carried_out = 0
        self.refused_good: set[str] = set()
        self.taken_good: set[str] = set()
        """The types of which a message without anything odd was carried out, by dialect."""
        self.complaints: list[str] = []

    @property
    def lines(self) -> list[str]:
        """Format it."""
        sent = ", ".join(f"{count} {name}" for name, count in self.sent.items())
        codes = ", ".join(f"{code} {count}" for code, count in self.refused.most_common())
        return [
            f"{self.sent.total()} messages: {sent}",
            f"{self.carried_out} carried out; {codes}",
            *self.complaints[:40],
        ]


async def send_all(  # noqa: PLR0913 - to whom, what and how
    socket: RawSocket,
    speaker: Speaker,
    odds: Sequence[Odd],
    outcome: Outcome,
    *,
    before: Sequence[str] = (),
    at_once: int = AT_ONCE,
) -> None:
    """Send messages, each after those of `before`, and check the answers."""
    for at in range(0, len(odds), at_once):
        some = [_Sent(odd, *(next(_numbers) for _ in range(3))) for odd in odds[at : at + at_once]]
        for sent in some:
            socket.send(
                *before,
                speaker.mark(sent.before),
                speaker.message(sent.odd, sent.number),
                speaker.mark(sent.after),
            )
        for sent in some:
            outcome.sent[speaker.name] += 1
            try:
                await _answered(socket, speaker, sent.before)
                answers = await _answered(socket, speaker, sent.after)
            except (SocketEnded, TimeoutError) as error:
                outcome.complaints.append(f"{speaker.name} {sent.odd}: {error!r}")
                return
            _judge(speaker, sent, answers, outcome)
            for answer in answers:
                leaving = answer.room and speaker.leave(answer.room)
                if leaving:
                    socket.send(leaving)


class _Sent(NamedTuple):
    """A message, and the numbers of it and of the marks around it."""

    odd: Odd
    before: int
    number: int
    after: int


async def _answered(socket: RawSocket, speaker: Speaker, number: int) -> list[OddReply]:
    """Return what comes before the answer to a mark."""
    answers: list[OddReply] = []
    while True:
        answer = speaker.read(await socket.next())
        if answer is None or answer.code == LATE:
            continue
        if speaker.is_marked(answer, number):
            return answers
        answers.append(answer)


def _judge(speaker: Speaker, sent: _Sent, answers: Sequence[OddReply], outcome: Outcome) -> None:
    for answer in answers:
        if answer.type == "error":
            outcome.refused[answer.code] += 1
    if sent.odd.value == AS_IT_SHOULD_BE and answers[0:1] != [] and answers[0].type == "error":
        outcome.refused_good.add(f"{speaker.name} {sent.odd.type}")
    elif sent.odd.value == AS_IT_SHOULD_BE:
        outcome.taken_good.add(f"{speaker.name} {sent.odd.type}")
    outcome.carried_out += not any(answer.type == "error" for answer in answers)
    wrong = speaker.wrong(sent.odd, sent.number, answers)
    faults = FAULTS & {answer.code for answer in answers}
    if wrong or faults:
        outcome.complaints.append(f"{speaker.name} {sent.odd}: {wrong or faults}")
