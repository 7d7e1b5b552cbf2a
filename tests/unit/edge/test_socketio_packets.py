import json

import pytest

from service.domain.ids import RoomId
from service.edge.dialect import SOCKET_IO
from service.edge.frames import text_frame, texts_of, type_in
from service.edge.session.errors import MessageRefused
from service.edge.session.rate_limit import UserBudget
from service.edge.session.session import Session
from service.edge.socketio import packets
from service.edge.socketio.packets import InvalidPacket, Packet, PacketKind
from service.protocol import classic, v1
from service.settings.sections.connections import SessionLimits, UserLimits


def text_of(frame: bytes) -> str:
    (text,) = texts_of(frame)
    return text.decode()


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", Packet(PacketKind.CONNECT, "/", None, "")),
        ('0{"token":"a,1-"}', Packet(PacketKind.CONNECT, "/", None, '{"token":"a,1-"}')),
        ("0/admin", Packet(PacketKind.CONNECT, "/admin", None, "")),
        ("0/admin?a=1,{}", Packet(PacketKind.CONNECT, "/admin", None, "{}")),
        ("1", Packet(PacketKind.DISCONNECT, "/", None, "")),
        ('2["a"]', Packet(PacketKind.EVENT, "/", None, '["a"]')),
        ('212["a"]', Packet(PacketKind.EVENT, "/", "12", '["a"]')),
        ('2/admin,12["a"]', Packet(PacketKind.EVENT, "/admin", "12", '["a"]')),
        ("30[]", Packet(PacketKind.ACK, "/", "0", "[]")),
        ('51-7["a"]', Packet(PacketKind.BINARY_EVENT, "/", "7", '["a"]')),
    ],
)
def test_a_valid_packet_is_parsed(text: str, packet: Packet) -> None:
    assert packets.read(text) == packet


@pytest.mark.parametrize("text", ["", "a", "7", '5["a"]', "é"])
def test_an_invalid_packet_is_refused(text: str) -> None:
    with pytest.raises(InvalidPacket):
        packets.read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('2["lobby:join"]', {"type": "lobby:join", "id": None}),
        ('20["lobby:join",{}]', {"type": "lobby:join", "id": 0}),
        ('20["invite", { "to" : 7 } ]', {"type": "invite", "to": 7, "id": 0}),
        ('20["invite",{"to":7,"id":1}]', {"type": "invite", "to": 7, "id": 0}),
        ('20["invite",7]', {"type": "invite", "id": 0}),
        ('20["invite",null,{"to":7}]', {"type": "invite", "id": 0}),
        ('20["\\u0069nvite",{"to":7}]', {"type": "invite", "to": 7, "id": 0}),
    ],
)
def test_an_event_is_a_message_with_an_ack_id(text: str, message: object) -> None:
    assert json.loads(packets.message_of(packets.read(text))) == message


@pytest.mark.parametrize("data", ["", "{}", "[]", "[3]", "[null]", '["a"', '["a",{]', "[" * 5000])
def test_an_invalid_event_is_refused(data: str) -> None:
    with pytest.raises(InvalidPacket):
        packets.message_of(Packet(PacketKind.EVENT, "/", None, data))


@pytest.mark.parametrize(
    "data",
    [
        r'["chat:send",{"text":"hi \ud83d"}]',
        r'["chat:send",{"id":7,"text":"\ude00","deep":[{"id":8}]}]',
        '["signal",' + "[" * 20_000 + "]" * 20_000 + "]",
        '["invite",{"to":NaN}]',
        '["invite",{"to":[01, -, +1, .5, tru, undefined]}]',
        '["invite",{"to":"\x01"}]',
        r'["invite",{"to":"\x \" \u12"},{"id":3}]',
    ],
)
def test_an_event_with_one_bad_value_is_refused_with_its_ack_id(data: str) -> None:
    session = Session(
        7,
        "n1.1.1",
        SOCKET_IO,
        limits=SessionLimits(),
        budget=UserBudget(UserLimits(), 0),
        new_token=lambda: "token",
        now=0,
    )
    with pytest.raises(MessageRefused) as refused:
        session.receive(packets.message_of(Packet(PacketKind.EVENT, "/", "12", data)), 0)
    assert (refused.value.error.code, refused.value.id) == ("BAD_JSON", "12")


@pytest.mark.parametrize(
    ("data", "token"),
    [("", None), ("{}", None), ('{"token":"a"}', "a"), ('{"token":3}', None), ("[]", None)],
)
def test_the_token_is_read_from_the_auth_of_a_connect(data: str, token: str | None) -> None:
    assert packets.token_in(Packet(PacketKind.CONNECT, "/", None, data)) == token


def test_an_auth_that_is_not_json_is_refused() -> None:
    with pytest.raises(InvalidPacket):
        packets.token_in(Packet(PacketKind.CONNECT, "/", None, "{"))


def test_a_message_is_an_event_named_by_its_type() -> None:
    online = packets.event_frame(classic.UserOnline(7))
    assert text_of(online) == '42["user:online",{"userId":7}]'
    assert type_in(online) == "user:online"
    searching = packets.event_frame(classic.MatchmakingSearching())
    assert text_of(searching) == '42["matchmaking:searching",{}]'


def test_an_answer_is_an_acknowledgement() -> None:
    ack = packets.event_frame(v1.Ack("12", 34))
    assert text_of(ack) == '4312[{"ok":true,"position":34}]'
    assert type_in(ack) == "ack"
    room = packets.event_frame(v1.Ack("12", 34, RoomId("r")))
    assert text_of(room) == '4312[{"ok":true,"position":34,"roomId":"r"}]'
    error = packets.event_frame(classic.Error("BAD", "It is bad.", "12"))
    assert text_of(error) == '4312[{"error":{"code":"BAD","message":"It is bad."}}]'
    plain = packets.event_frame(classic.Error("BAD", "It is bad."))
    assert text_of(plain) == '42["error",{"code":"BAD","message":"It is bad."}]'


def test_joined_frames_are_unwrapped_one_by_one() -> None:
    texts = [b"", b"2", b"x" * 125, b"x" * 126, b"x" * 65535, b"x" * 65536]
    assert list(texts_of(b"".join(map(text_frame, texts)))) == texts
