"""How the end of a connection is noted."""

import pytest

from service.domain.commands.presence import CLEAN_CLOSES
from service.edge.close_codes import CloseCode, noted


@pytest.mark.parametrize(
    ("aiohttp_says", "code"), [(0, 1005), (1000, 1000), (1001, 1001), (None, 1006)]
)
def test_a_close_without_a_code_is_clean_and_no_close_at_all_is_not(
    aiohttp_says: int | None, code: int
) -> None:
    assert noted(aiohttp_says) == code
    assert (code in CLEAN_CLOSES) == (aiohttp_says in {0, 1000})


def test_of_whom_the_service_closes_only_those_who_were_sent_away_are_gone_at_once() -> None:
    sent = set(CloseCode) - {CloseCode.NORMAL, CloseCode.NO_STATUS}
    assert CLEAN_CLOSES & sent == {CloseCode.REVOKED}
