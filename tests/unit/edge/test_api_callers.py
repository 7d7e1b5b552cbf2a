"""The caller of the HTTP API, from its token."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from service.edge.auth import (
    AuthenticationError,
    Authenticator,
    Caller,
    FixedKey,
    Identity,
    Issuer,
)
from service.edge.claims import Scope
from service.settings.sections.tokens import TokenSettings

SECRET = "a-secret-that-is-long-enough-" * 3


async def caller(**claims: Any) -> Caller:
    issuer = Issuer(keys=FixedKey(SECRET))
    door = Authenticator([issuer], TokenSettings(leeway_s=0, name_claims=("name",)))
    return await door.check_caller(jwt.encode(claims, SECRET))


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("admin", {Scope.ADMIN}),
        ("openid publish  admin", {Scope.ADMIN, Scope.PUBLISH}),
        (["publish", "openid", 7, {"admin": True}], {Scope.PUBLISH}),
    ],
)
async def test_a_service_token_has_known_scopes_and_needs_no_user(
    scope: Any, scopes: set[Scope]
) -> None:
    assert await caller(scope=scope) == Caller(None, frozenset(scopes))


@pytest.mark.parametrize("scope", ["administrator", "ADMIN", "openid", {"admin": 1}, True, 7, None])
async def test_unknown_scopes_are_ignored(scope: Any) -> None:
    assert await caller(id=7, scope=scope) == Caller(Identity(7, None), frozenset())
    with pytest.raises(AuthenticationError):
        await caller(scope=scope)


async def test_a_service_token_with_a_user_needs_a_valid_id() -> None:
    assert await caller(id=7, scope="admin") == Caller(Identity(7, None), frozenset({Scope.ADMIN}))
    with pytest.raises(AuthenticationError):
        await caller(id="", scope="admin")
