"""Decisions about access: sessions are revoked, and tokens refused from then on."""

import pytest

from service.domain.commands.access import RevokeSessions
from service.domain.events.access import SessionsRevoked
from service.domain.projections.world import World
from tests.unit.domain.decisions.histories import ANA, BEN, world_after
from tests.unit.domain.scenario import scenario


def test_sessions_are_revoked_until_now() -> None:
    scenario().when(RevokeSessions(ANA, 1000)).then(SessionsRevoked(user=ANA, until_s=1000))


def test_sessions_that_are_revoked_already_are_revoked_again() -> None:
    scenario().given(RevokeSessions(ANA, 1000)).when(RevokeSessions(ANA, 1000)).then(
        SessionsRevoked(user=ANA, until_s=1000)
    )


def test_a_revocation_locks_the_user() -> None:
    assert RevokeSessions(ANA, 1000).streams(World()) == {"user:1"}


@pytest.mark.parametrize(
    ("issued_at_s", "is_allowed"), [(None, False), (999, False), (1000, False), (1000.5, True)]
)
def test_a_token_issued_up_to_the_revocation_is_refused(
    issued_at_s: float | None, *, is_allowed: bool
) -> None:
    world = world_after(SessionsRevoked(user=ANA, until_s=1000))
    assert world.access.allows(ANA, issued_at_s) == is_allowed


@pytest.mark.parametrize("issued_at_s", [None, 0, 1000])
def test_a_user_whose_sessions_were_never_revoked_may_use_any_token(
    issued_at_s: float | None,
) -> None:
    world = world_after(SessionsRevoked(user=ANA, until_s=1000))
    assert world.access.allows(BEN, issued_at_s)


def test_the_last_revocation_counts() -> None:
    world = world_after(RevokeSessions(ANA, 1000), RevokeSessions(ANA, 2000))
    assert not world.access.allows(ANA, 2000)
    assert world.access.allows(ANA, 2001)
