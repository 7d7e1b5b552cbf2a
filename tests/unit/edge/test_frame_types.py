import pytest

from service.edge.frames import frame, type_in, type_of
from service.protocol import classic


@pytest.mark.parametrize("length", [1, 200, 70_000])
def test_the_message_type_is_read_from_frames_of_any_length(length: int) -> None:
    # What a user wrote can't be taken for the type: that comes first.
    message = classic.Error("BAD_MESSAGE", '"type":"made:up"' + "x" * length)
    assert type_of(message) == "error"
    assert type_in(frame(message)) == "error"
    assert type_in(frame(message, 7)) == "error"
