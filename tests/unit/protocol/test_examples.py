import inspect
from typing import get_args

import msgspec
import pytest

from service.edge import dialect as edge
from service.protocol import FromClientMessage, ToClientMessage
from tools.asyncapi import example_of
from tools.examples import FROM_CLIENT, TO_CLIENT
from tools.schemas import CLASSIC, V1, DialectOfContract

DIALECTS = {CLASSIC: edge.CLASSIC, V1: edge.V1}

FROM = [(dialect, one) for dialect in DIALECTS for one in get_args(dialect.from_client)]
TO = [(dialect, one) for dialect in DIALECTS for one in get_args(dialect.to_client)]


def name(value: object) -> str:
    return value.name if isinstance(value, DialectOfContract) else value.__name__  # type: ignore[attr-defined]


@pytest.mark.parametrize(("dialect", "message"), FROM, ids=name)
def test_each_client_example_decodes_as_its_message(
    dialect: DialectOfContract, message: type[FromClientMessage]
) -> None:
    example = example_of(message, dialect)
    decoded = DIALECTS[dialect].decoder.decode(msgspec.json.encode(example))
    assert type(decoded) is message
    # The service knows every field of the example: none of them was skipped as unknown.
    known = {field.encode_name for field in msgspec.structs.fields(message)} | {"type"}
    assert set(example) <= known


@pytest.mark.parametrize(("dialect", "message"), TO, ids=name)
def test_each_service_example_decodes_as_its_message(
    dialect: DialectOfContract, message: type[ToClientMessage]
) -> None:
    union = msgspec.json.Decoder(dialect.to_client)
    decoded = union.decode(msgspec.json.encode(example_of(message, dialect)))
    assert type(decoded) is message
    assert msgspec.json.encode(decoded) == msgspec.json.encode(TO_CLIENT[message])


@pytest.mark.parametrize(("dialect", "message"), [*FROM, *TO], ids=name)
def test_every_message_has_its_own_description(
    dialect: DialectOfContract, message: type[FromClientMessage | ToClientMessage]
) -> None:
    assert message in dialect.types()
    line = inspect.cleandoc(message.__dict__["__doc__"] or "").split("\n\n")[0]
    assert line.endswith(".")


def test_the_contract_covers_every_dialect() -> None:
    assert {one.protocol for one in DIALECTS} == set(edge.PROTOCOLS)
    for dialect, spoken in DIALECTS.items():
        assert dialect.protocol == spoken.protocol


def test_every_example_belongs_to_a_message() -> None:
    messages = {*CLASSIC.types(), *V1.types()}
    assert FROM_CLIENT.keys() | TO_CLIENT.keys() == messages
