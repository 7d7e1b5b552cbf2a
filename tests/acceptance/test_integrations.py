"""The user service and webhooks, against the real service in its own process."""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.acceptance.crash import Seated, begin_match_of, check_data, logged
from tests.acceptance.service_process import (
    SECRET,
    Running,
    StartService,
    clean_environment,
    fresh_id,
    make_token,
    of_type,
)
from tests.external_services import ExampleUsers, Fault, Hook

HOOK_SECRET = "a secret of webhooks"

QUICK = {
    "WS_OUTBOX_RETRY_S": "0.1",
    "WS_OUTBOX_RETRY_MAX_S": "0.4",
    "WS_BREAKER_FAILURES": "3",
    "WS_BREAKER_PAUSE_S": "0.3",
    "WS_OUTBOX_TIMEOUT_S": "1",
    "USER_SERVICE_TIMEOUT_S": "0.5",
}


Start = Callable[..., Running]


@pytest.fixture
def start(start_service: StartService) -> Start:
    """Start a service with short timeouts for external services."""
    return lambda **settings: start_service(dev=False, **(QUICK | settings))


@pytest.fixture
async def users() -> AsyncIterator[ExampleUsers]:
    async with ExampleUsers(SECRET) as running:
        yield running


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with Hook() as running:
        yield running


async def outbox(service: Running, *arguments: str) -> list[dict[str, Any]]:
    """Run `ws-service outbox` with these arguments."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", "outbox", *(arguments or ("--json",))),
        env=clean_environment(service.settings),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return [] if arguments else [json.loads(line) for line in output.splitlines()]


async def play(service: Running, *, token_ttl_s: float = 3600) -> Seated:
    """Play a match that the left one, who has the lower id, gives up."""
    ids = [fresh_id(), fresh_id()]
    left, right = [
        await service.connect(token_=make_token({"id": user, "name": "N"}, ttl_s=token_ttl_s))
        for user in ids
    ]
    seated = await begin_match_of(left, right)
    await left.send("game:leave", roomId=seated.room)
    await right.expect("game:end")
    return seated


def stored_tokens(service: Running) -> list[tuple[Any, ...]]:
    return service.database('SELECT match, "user", sealed FROM bearers')


# Results


async def test_a_result_is_delivered_once_despite_an_outage_and_a_kill(
    start: Start, users: ExampleUsers
) -> None:
    await users.stop()
    service = start(USER_SERVICE_URL=users.url, WS_MATCH_DURATION_S="1")
    left, right = await service.connect(fresh_id(), "Ana"), await service.connect(fresh_id(), "Ben")
    seated = await begin_match_of(left, right)
    scores = (await left.expect("game:timeup"))["scores"]
    while not (waiting := await outbox(service)) or not waiting[0]["attempts"]:
        pass
    (entry,) = waiting
    assert (entry["match"], entry["consumer"]) == (seated.match, "user-service")
    assert (entry["state"], entry["last_error"] is not None) == ("waiting", True)
    ((match, user, sealed),) = stored_tokens(service)
    assert (match, user) == (seated.match, str(right.id))
    assert b"eyJ" not in sealed

    service.kill()
    service.restart()
    await users.start()
    await users.saved(1)
    await logged(service, "result.delivered", match=seated.match, consumer="user-service")
    service.restart()
    await logged(service, "node.started", incarnation=3)
    assert users.matches() == [(right.id, left.id, scores["s2"], scores["s1"])]
    keys = {request.headers["Idempotency-Key"] for request in users.requests}
    assert keys == {seated.match}
    assert await outbox(service) == []
    assert stored_tokens(service) == []
    service.kill()
    log = await check_data(service)
    assert len(log.of_type["result.delivered"]) == 1


async def test_a_lost_response_is_retried_and_the_match_saved_once(
    start: Start, users: ExampleUsers
) -> None:
    users.fault = Fault.CUT
    service = start(USER_SERVICE_URL=users.url)
    seated = await play(service)
    await users.requested(2)
    assert of_type(await seated.right.sync(), "error") == []
    # Killed with the match saved, but nobody here knowing it.
    service.kill()
    users.fault = None
    service.restart()
    await logged(service, "result.delivered", match=seated.match)
    assert len(users.matches()) == 1
    bodies = {await request.text() for request in users.requests}
    assert len(bodies) == 1
    assert len({json.loads(body)["matchData"]["date"] for body in bodies}) == 1


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.BUSY, Fault.HANG])
async def test_a_failing_user_service_is_retried_without_delaying_clients(
    start: Start, users: ExampleUsers, fault: Fault
) -> None:
    users.fault = fault
    service = start(USER_SERVICE_URL=users.url)
    seated = await play(service)
    await users.requested(2)
    users.fault = None
    await logged(service, "result.delivered", match=seated.match)
    assert len(users.matches()) == 1


async def test_a_definite_refusal_is_final_until_an_operator_retries(
    start: Start, users: ExampleUsers
) -> None:
    users.fault = Fault.CONFLICT
    service = start(USER_SERVICE_URL=users.url)
    seated = await play(service)
    rejected = await logged(service, "result.rejected", match=seated.match)
    assert rejected.data["status"] == 409
    assert len(users.requests) == 1
    assert stored_tokens(service) == []
    (entry,) = await outbox(service)
    assert (entry["state"], entry["last_error"]) == ("rejected", "HTTP 409 Conflict")
    (line,) = [one for one in service.logs if one.get("error_code") == "MATCH_SAVE_FAILED"]
    assert (line["error_type"], line["http_status"]) == ("external_service_error", 409)
    assert line["metadata"]["match"] == seated.match

    users.fault = None
    await outbox(service, "retry", seated.match[:4])
    await logged(service, "result.delivered", match=seated.match)
    assert len(users.matches()) == 1
    service.kill()
    await check_data(service)


async def test_a_match_with_an_expired_token_waits_for_the_next_one(
    start: Start, users: ExampleUsers
) -> None:
    service = start(USER_SERVICE_URL=users.url, WS_RECONNECT_GRACE_S="0")
    # The margin for a token that ends soon is longer than this one lives.
    seated = await play(service, token_ttl_s=4)
    while not (waiting := await outbox(service)) or waiting[0]["next_at"] is not None:
        pass
    assert waiting[0]["last_error"] == f"waits for the next token of user {seated.right.id}"
    assert users.requests == []
    service.restart()
    await service.connect(seated.left.id, "Ana")
    await service.connect(seated.right.id, "Ben")
    await logged(service, "result.delivered", match=seated.match)
    assert len(users.matches()) == 1


async def test_the_service_token_is_the_fallback_for_a_players_token(
    start: Start, users: ExampleUsers
) -> None:
    ids = fresh_id(), fresh_id()
    own = make_token({"id": ids[1]})
    service = start(USER_SERVICE_URL=users.url, USER_SERVICE_TOKEN=own)
    left, right = [
        await service.connect(token_=make_token({"id": user, "name": "N"}, ttl_s=4)) for user in ids
    ]
    seated = await begin_match_of(left, right)
    await left.send("game:leave", roomId=seated.room)
    await users.saved(1)
    assert users.requests[-1].headers["Authorization"] == f"Bearer {own}"


# Webhooks


async def test_no_result_is_lost_or_settled_twice_by_a_kill_at_any_point(
    start: Start, hook: Hook
) -> None:
    service = start(WS_WEBHOOK_URLS=f"{hook.url}/hook", WS_WEBHOOK_SECRET=HOOK_SECRET)
    played = []
    for number in range(4):
        played.append((await play(service)).match)
        if number % 2:
            # The hook has it, and we may or may not know.
            await hook.until(lambda: played[-1] in hook.ids)
        service.restart()
    for match in played:
        await logged(service, "result.delivered", match=match)
    assert set(hook.ids) == set(played)
    service.kill()
    log = await check_data(service)
    assert sorted(one.data["match"] for one in log.of_type["result.delivered"]) == sorted(played)


async def test_every_webhook_gets_signed_matches_independently(start: Start, hook: Hook) -> None:
    async with Hook() as other:
        other.status = 503
        urls = f"{hook.url}/hook,{other.url}/hook"
        service = start(WS_WEBHOOK_URLS=urls, WS_WEBHOOK_SECRET=HOOK_SECRET)
        seated = await play(service)
        await hook.requested(1)
        await other.requested(3)
        (entry,) = await outbox(service)
        other.status = 204
        await logged(service, "result.delivered", consumer=entry["consumer"])
        assert await outbox(service) == []
        assert len(hook.requests) == 1
        assert len(set(other.bodies)) == 1
    headers, body = hook.requests[0].headers, hook.bodies[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(HOOK_SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert headers["webhook-id"] == seated.match
    sent = json.loads(body)["data"]
    assert (sent["matchId"], sent["reason"]) == (seated.match, "left")
    assert sent["winner"] == seated.right.id


# Names and friends


async def test_a_missing_name_is_looked_up_in_the_user_service(
    start: Start, users: ExampleUsers
) -> None:
    service = start(USER_SERVICE_URL=users.url)
    ana, ben = fresh_id(), fresh_id()
    users.name(ana, " Ana\n")
    await service.connect(ben, "Ben")
    client = await service.connect(token_=make_token({"id": ana}))
    assert client.user["name"] == f"User#{ana}"
    named = {"id": ana, "name": "Ana"}
    await client.expect("user:list", where=lambda one: named in one["users"])
    again = await service.connect(token_=make_token({"id": ana}))
    assert again.user == named
    await again.sync()
    assert [request.path for request in users.requests] == [f"/users/public/{ana}"]
    service.restart()
    assert (await service.connect(token_=make_token({"id": ana}))).user == named


async def test_a_failing_user_service_delays_no_connection_and_names_arrive_later(
    start: Start, users: ExampleUsers
) -> None:
    users.fault = Fault.HANG
    service = start(USER_SERVICE_URL=users.url, USER_SERVICE_TIMEOUT_S="30")
    ana = fresh_id()
    users.name(ana, "Ana")
    # No client waits so long.
    client = await service.connect(token_=make_token({"id": ana}))
    await users.requested(1)
    await users.stop()
    users.fault = None
    await users.start()
    await client.expect("user:list", where=lambda one: {"id": ana, "name": "Ana"} in one["users"])


async def test_friends_are_requested_with_the_users_own_token(
    start: Start, users: ExampleUsers
) -> None:
    service = start(USER_SERVICE_URL=users.url)
    ana, ben, cleo = fresh_id(), fresh_id(), fresh_id()
    users.befriend(ana, ben, cleo)
    client = await service.connect(ana, "Ana")
    await service.connect(ben, "Ben")
    await client.send("friends:status:request")
    answer = await client.expect("friends:status:response")
    assert answer["friends"] == [
        {"userId": ben, "isOnline": True},
        {"userId": cleo, "isOnline": False},
    ]
    tab = await service.connect_v1(ana, "Ana")
    await tab.send("friends:status:request", id="friends")
    both = [await tab.expect("friends:status:response"), await tab.expect("ack")]
    assert both[1]["id"] == "friends"


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.HANG, Fault.CUT, Fault.NONSENSE])
async def test_unavailable_friends_are_an_error_and_delay_nothing_else(
    start: Start, users: ExampleUsers, fault: Fault
) -> None:
    users.fault = fault
    service = start(USER_SERVICE_URL=users.url)
    client = await service.connect(fresh_id(), "Ana")
    for _ in range(20):
        await client.send("friends:status:request")
    errors = of_type(await client.sync(), "error") or [await client.expect("error")]
    assert errors[0]["code"] == "USER_SERVICE_UNAVAILABLE"
