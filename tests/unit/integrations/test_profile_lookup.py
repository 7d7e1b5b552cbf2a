"""Lookups of display names and friends, against a user service in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.domain.events.presence import UserWentOffline
from service.domain.ids import UserId
from service.errors import Unavailable
from service.integrations.profile_lookup import ProfileLookup
from service.integrations.user_service import UserServiceUnavailable

PATIENCE_S = 5


class FakeUsers:
    """A user service whose answers a test lets through."""

    def __init__(self) -> None:
        self.names: dict[UserId, str | None] = {7: " Ana "}
        self.failures = 0
        self.asked: list[UserId] = []
        self.asking = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def name(self, user: UserId) -> str | None:
        self.asked.append(user)
        self.asking.set()
        await self.answers.wait()
        if self.failures:
            self.failures -= 1
            raise UserServiceUnavailable
        return self.names.get(user)

    async def friends(self, user: UserId, token: str) -> list[UserId]:
        return [f"{user}-{token}"]


class FakeTokens:
    """The last token of each user."""

    def __init__(self) -> None:
        self._tokens: dict[UserId, str] = {}

    def connected(self, user: UserId, token: str) -> None:
        self._tokens[user] = token

    def of(self, user: UserId) -> str | None:
        return self._tokens.get(user)


class Lookup:
    """A lookup, its parts, and the names that it stored."""

    def __init__(self) -> None:
        self.users, self.tokens = FakeUsers(), FakeTokens()
        self.known: dict[UserId, str] = {}
        self.unwritable = 0
        self.news = asyncio.Event()
        self.lookup = self.make(self.users)

    def make(self, users: FakeUsers | None) -> ProfileLookup:
        return ProfileLookup(
            users,
            self.tokens,
            known_name=self.known.get,
            rename=self.rename,
            clean_name=str.strip,
            retry_s=0,
        )

    async def rename(self, user: UserId, name: str) -> None:
        if self.unwritable:
            self.unwritable -= 1
            raise Unavailable
        self.known[user] = name
        self.news.set()

    async def renamed(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.news.wait()
        self.news.clear()

    async def idle(self) -> None:
        """Wait until no name is missing, which another user's name shows."""
        self.users.names[99] = "Last"
        self.lookup.connected(99, "t", named=False)
        await self.renamed()


@pytest.fixture
async def one() -> AsyncIterator[Lookup]:
    one = Lookup()
    one.lookup.start()
    yield one
    await one.lookup.stop()


async def test_the_name_of_a_user_whose_token_has_none_is_looked_up(one: Lookup) -> None:
    one.lookup.connected(7, "t", named=False)
    await one.renamed()
    assert one.known == {7: "Ana"}


async def test_the_name_of_a_user_whose_token_has_one_is_not_looked_up(one: Lookup) -> None:
    one.lookup.connected(7, "t", named=True)
    await one.idle()
    assert one.users.asked == [99]


@pytest.mark.parametrize("failing", ["users", "log"])
async def test_a_failed_lookup_is_retried_after_the_others(one: Lookup, failing: str) -> None:
    one.users.failures, one.unwritable = (1, 0) if failing == "users" else (0, 1)
    one.users.names[8] = "Ben"
    one.lookup.connected(7, "t", named=False)
    one.lookup.connected(8, "t", named=False)
    await one.renamed()
    assert one.known == {8: "Ben"}
    await one.renamed()
    assert one.known == {8: "Ben", 7: "Ana"}


async def test_a_user_who_went_offline_meanwhile_is_not_renamed(one: Lookup) -> None:
    one.users.answers.clear()
    one.lookup.connected(7, "t", named=False)
    await one.users.asking.wait()
    one.lookup.observe(UserWentOffline(user=7), 1)
    one.users.answers.set()
    await one.idle()
    assert one.known == {99: "Last"}


async def test_a_name_that_is_known_already_is_not_stored_again(one: Lookup) -> None:
    one.known[7] = "Ana"
    one.unwritable = 1
    one.lookup.connected(7, "t", named=False)
    await one.users.asking.wait()
    one.unwritable = 0
    await one.idle()
    assert one.users.asked == [7, 99]


async def test_friends_are_requested_with_the_token_of_the_user(one: Lookup) -> None:
    with pytest.raises(UserServiceUnavailable, match="sign in again"):
        await one.lookup.friends(7)
    one.lookup.connected(7, "t", named=True)
    assert await one.lookup.friends(7) == ["7-t"]


async def test_without_a_user_service_no_request_is_sent() -> None:
    one = Lookup()
    lookup = one.make(None)
    lookup.start()
    lookup.connected(7, "t", named=False)
    assert one.tokens.of(7) is None
    with pytest.raises(UserServiceUnavailable, match="USER_SERVICE_URL"):
        await lookup.friends(7)
    await lookup.stop()
