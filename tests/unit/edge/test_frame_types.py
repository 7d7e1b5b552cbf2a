import pytest

from service.edge.frames import frame, type_in, type_of
from service.protocol import classic


@pytest.mark.parametrize("length", [1, 200, 70_000])
def test_the_type_of_a_message_is_read_from_its_frame_however_long_it_is(length: int) -> None:
    # What a user wrote can't be taken for the type: that comes first.
    message = classic.Error("BAD_MESSAGE", '"type":"made:up"' + "x" * length)
    assert type_of(message) == "error"
    assert type_in(frame(message)) == "error"
    assert type_in(frame(message, 7)) == "error"
