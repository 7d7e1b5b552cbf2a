"""Tokens for development: what is in them, and what is refused."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from service.edge.http.dev_tokens import dev_token_routes
from service.settings.sections.tokens import TokenSettings

SECRET = "a-secret-that-is-long-enough-" * 3


async def issued(body: str) -> tuple[int, dict[str, Any]]:
    app = web.Application()
    app.add_routes(dev_token_routes(TokenSettings(), SECRET))
    async with (
        TestClient(TestServer(app)) as client,
        client.post("/dev/token", data=body) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        ('{"name": "Ana"}', None),
        ('{"name": "Ana", "scope": "observe"}', "observe"),
        ('{"name": "Ana", "scope": "admin"}', "admin"),
    ],
)
async def test_a_token_has_the_name_and_the_scope_asked_for(body: str, scope: str | None) -> None:
    status, found = await issued(body)
    claims = jwt.decode(found["token"], SECRET, algorithms=["HS256"])
    assert (status, claims["name"], claims.get("scope")) == (200, "Ana", scope)
    assert found["user"] == {"id": claims["id"], "name": "Ana"}


@pytest.mark.parametrize("scope", ['"publish"', '"root"', "1", '["admin"]', "{}", '""', "true"])
async def test_no_other_scope_is_given(scope: str) -> None:
    status, found = await issued(f'{{"name": "Ana", "scope": {scope}}}')
    assert (status, found["code"]) == (400, "BAD_SCOPE")
