"""Decide whose connections are admitted: by the origin of the page, the token, and revocations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.edge.auth import AuthenticationError, Identity
from service.edge.close_codes import CloseCode
from service.errors import ClientError
from service.telemetry import note_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from service.domain.ids import UserId
    from service.domain.projections.world import World
    from service.edge.auth import Authenticator
    from service.integrations.profile_lookup import ProfileLookup
    from service.telemetry import Metrics


class OtherUser(ClientError):
    """The token is that of another user; connect again to be that user."""

    code = "OTHER_USER"


class BadToken(ClientError):
    """The token is missing, wrong or expired; get a new one."""

    code = "BAD_TOKEN"


class Admission:
    """Authenticates connections when they are opened, and when they bring a newer token."""

    def __init__(
        self,
        world: World,
        authenticator: Authenticator,
        profile_lookup: ProfileLookup,
        origins: Sequence[str],
        metrics: Metrics,
    ) -> None:
        """Admit pages of `origins`, and clients that are no pages; `*` admits all of them."""
        self._world = world
        self._authenticator = authenticator
        self._profile_lookup = profile_lookup
        self._origins = frozenset(origins)
        self._metrics = metrics

    async def admit(self, request: web.BaseRequest, token: str | None) -> Identity:
        """Return whose handshake this is; raise `AuthenticationError`."""
        if not self._is_from_our_pages(request):
            raise AuthenticationError("Origin not allowed", "ORIGIN_NOT_ALLOWED")
        identity = await self._authenticator.check(token)
        if self.is_revoked(identity):
            raise AuthenticationError("Revoked", "TOKEN_REVOKED", CloseCode.REVOKED)
        return identity

    def admit_at_once(self, request: web.BaseRequest, token: str) -> Identity | None:
        """Return whose handshake this is; None if `admit` has to tell, or to refuse it."""
        if not self._is_from_our_pages(request):
            return None
        identity = self._authenticator.check_at_once(token)
        return None if identity is None or self.is_revoked(identity) else identity

    def _is_from_our_pages(self, request: web.BaseRequest) -> bool:
        origin = request.headers.get("Origin")
        return origin is None or not self._origins.isdisjoint(("*", origin))

    async def renew(self, user: UserId, token: str) -> Identity:
        """Return what a newer token of `user` says; raise `BadToken` or `OtherUser`."""
        try:
            identity = await self._authenticator.check(token)
        except AuthenticationError as error:
            raise BadToken from error
        if identity.user != user:
            raise OtherUser
        if self.is_revoked(identity):
            raise BadToken
        return identity

    def is_revoked(self, identity: Identity) -> bool:
        """Tell whether the token was issued before its user's sessions were last revoked."""
        return not self._world.access.allows(identity.user, identity.issued_at_s)

    def connected(self, identity: Identity, token: str) -> None:
        """Give an admitted token to the profile lookup; a fault there costs at most a name."""
        try:
            self._profile_lookup.connected(identity.user, token, named=identity.name is not None)
        except Exception as error:  # noqa: BLE001 - see above
            note_fault(self._metrics, "task", error, user=identity.user)
