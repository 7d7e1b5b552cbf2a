"""Consumers of finished matches, each with the way to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.domain.events.outbox import USER_SERVICE
from service.integrations.breaker import Breaker
from service.integrations.webhooks import Webhook, consumer_of
from service.outbox.user_service import UserServiceDelivery
from service.outbox.worker import CONCURRENCY, ConsumerRoute

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.domain.events.outbox import Consumer
    from service.integrations.user_service import UserService
    from service.outbox.tokens import UserTokens
    from service.settings import Settings


def routes_of(
    settings: Settings,
    users: UserService | None,
    tokens: UserTokens,
    clock: Callable[[], float],
) -> dict[Consumer, ConsumerRoute]:
    """List the consumers, each with a circuit breaker of its own, measured by `clock`."""
    routes: dict[Consumer, ConsumerRoute] = {}
    if users is not None:
        token = settings.user_service.token
        saves = UserServiceDelivery(users, tokens, token.get_secret_value() if token else None)
        routes[USER_SERVICE] = ConsumerRoute(saves, Breaker(settings.breaker, clock))
    if settings.webhooks.secret is not None:
        secret = settings.webhooks.secret.get_secret_value()
        for url in settings.webhooks.urls:
            hook = Webhook(url, secret, settings.outbox.timeout_s, CONCURRENCY)
            routes[consumer_of(url)] = ConsumerRoute(hook, Breaker(settings.breaker, clock))
    return routes
