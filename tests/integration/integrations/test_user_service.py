"""The user service client against the example service with injected faults."""

import asyncio
from collections.abc import AsyncIterator

import jwt
import pytest

from service.domain.commands.outbox import Delivered, FinishedMatch, Indeterminate, Rejected
from service.integrations.breaker import Breaker
from service.integrations.user_service import TokenInvalid, UserService, UserServiceUnavailable
from service.settings.sections.integrations import BreakerLimits, UserServiceSettings
from tests.external_services import ExampleUsers, Fault

SECRET = "a secret of more than thirty-two bytes"

MATCH = FinishedMatch(
    id="9f3a-1",
    game="pong",
    players=[7, 12],
    scores=[3, 5],
    reason="timeup",
    winner=1,
    started_at=0,
    ended_at=30_000_000,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def bearer(user: int) -> str:
    return jwt.encode({"id": user}, SECRET, algorithm="HS256")


@pytest.fixture
async def users() -> AsyncIterator[ExampleUsers]:
    async with ExampleUsers(SECRET) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(users: ExampleUsers, clock: Clock) -> AsyncIterator[UserService]:
    client = UserService(
        users.url,
        UserServiceSettings(timeout_s=0.3, names_max=2, name_age_s=60),
        Breaker(BreakerLimits(failures_max=3, pause_s=10), clock),
        save_timeout_s=0.3,
        clock=clock,
    )
    yield client
    await client.close()


async def test_concurrent_name_lookups_share_one_request_and_are_cached(
    client: UserService, users: ExampleUsers, clock: Clock
) -> None:
    users.name(7, "Ana")
    assert await asyncio.gather(*(client.name(7) for _ in range(50))) == ["Ana"] * 50
    assert await client.name(7) == "Ana"
    assert len(users.requests) == 1
    users.name(7, "Anna")
    clock.now += 60
    assert await client.name(7) == "Anna"
    assert len(users.requests) == 2


async def test_an_unknown_user_is_cached(client: UserService, users: ExampleUsers) -> None:
    assert await client.name(99) is None
    assert await client.name(99) is None
    assert len(users.requests) == 1


async def test_the_name_cache_is_bounded(client: UserService, users: ExampleUsers) -> None:
    for user in (1, 2, 3, 2, 3, 1):
        await client.name(user)
    assert [request.path[-1] for request in users.requests] == ["1", "2", "3", "1"]


async def test_a_user_id_is_escaped_in_the_url_path(
    client: UserService, users: ExampleUsers
) -> None:
    assert await client.name("../me?x=1#/é") is None
    assert users.requests[0].match_info["id"] == "../me?x=1#/é"


async def test_a_cancelled_lookup_does_not_cancel_others(
    client: UserService, users: ExampleUsers
) -> None:
    users.name(7, "Ana")
    impatient = asyncio.create_task(client.name(7))
    patient = asyncio.create_task(client.name(7))
    await users.requested(1)
    impatient.cancel()
    assert await patient == "Ana"


async def test_friends_are_requested_with_the_given_token(
    client: UserService, users: ExampleUsers
) -> None:
    users.befriend(7, 12, 3)
    assert await client.friends(7, bearer(7)) == [3, 12]
    with pytest.raises(UserServiceUnavailable):
        await client.friends(7, "no token")


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.HANG, Fault.CUT, Fault.NONSENSE])
async def test_an_invalid_response_is_unavailable_and_not_cached(
    client: UserService, users: ExampleUsers, fault: Fault
) -> None:
    users.name(7, "Ana")
    users.fault = fault
    with pytest.raises(UserServiceUnavailable):
        await client.name(7)
    users.fault = None
    assert await client.name(7) == "Ana"


async def test_the_circuit_breaker_pauses_requests_to_a_failing_service(
    client: UserService, users: ExampleUsers, clock: Clock
) -> None:
    users.fault = Fault.ERROR
    for user in range(1, 9):
        with pytest.raises(UserServiceUnavailable):
            await client.name(user)
    assert len(users.requests) == 3
    users.fault = None
    clock.now += 10
    assert await client.name(1) is None
    assert await client.name(2) is None
    assert len(users.requests) == 5


async def test_a_match_that_is_sent_twice_is_saved_once(
    client: UserService, users: ExampleUsers
) -> None:
    assert await client.save(MATCH, bearer(12)) == Delivered()
    assert await client.save(MATCH, bearer(12)) == Delivered()
    assert users.matches() == [(12, 7, 5, 3)]


async def test_a_match_whose_response_was_cut_is_saved_once_when_retried(
    client: UserService, users: ExampleUsers
) -> None:
    users.fault = Fault.CUT
    assert isinstance(await client.save(MATCH, bearer(12)), Indeterminate)
    users.fault = None
    assert await client.save(MATCH, bearer(12)) == Delivered()
    assert users.matches() == [(12, 7, 5, 3)]


async def test_each_response_status_maps_to_a_delivery_outcome(
    client: UserService, users: ExampleUsers
) -> None:
    assert await client.save(MATCH, bearer(7)) == Rejected(403, "HTTP 403 Forbidden")
    assert await client.save(MATCH, "expired") == TokenInvalid()
    users.fault = Fault.HANG
    hung = await client.save(MATCH, bearer(12))
    users.fault = Fault.ERROR
    failed = await client.save(MATCH, bearer(12))
    await users.stop()
    refused = await client.save(MATCH, bearer(12))
    assert all(isinstance(one, Indeterminate) for one in (hung, failed, refused))
    assert users.matches() == []
