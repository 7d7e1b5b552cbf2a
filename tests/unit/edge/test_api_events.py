"""The API shows every event of a match."""

from __future__ import annotations

import pytest

from service.domain.events.matches import MatchEvent
from service.domain.projections.matches import FOLD
from service.edge.api.routes import PUBLIC_FIELDS

SECRET = {"seed", "state", "socket", "held"}


def test_every_match_event_declares_its_public_fields() -> None:
    assert PUBLIC_FIELDS.keys() == FOLD.keys()


@pytest.mark.parametrize("event", PUBLIC_FIELDS, ids=lambda event: event.type)
def test_public_fields_exist_and_contain_no_secret(event: type[MatchEvent]) -> None:
    assert set(PUBLIC_FIELDS[event]) <= set(event.__struct_fields__) - SECRET
