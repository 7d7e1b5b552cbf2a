"""The recorded close code of a connection."""

import pytest

from service.domain.commands.presence import CLEAN_CLOSES
from service.edge.close_codes import CloseCode, recorded_code


@pytest.mark.parametrize(
    ("aiohttp_says", "code"), [(0, 1005), (1000, 1000), (1001, 1001), (None, 1006)]
)
def test_a_close_frame_without_a_code_is_clean_but_a_lost_connection_is_not(
    aiohttp_says: int | None, code: int
) -> None:
    assert recorded_code(aiohttp_says) == code
    assert (code in CLEAN_CLOSES) == (aiohttp_says in {0, 1000})


def test_only_a_revocation_counts_as_clean_among_the_closes_by_the_service() -> None:
    sent = set(CloseCode) - {CloseCode.NORMAL, CloseCode.NO_STATUS}
    assert CLEAN_CLOSES & sent == {CloseCode.REVOKED}
