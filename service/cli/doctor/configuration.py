"""The check of the settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from service.cli.doctor.findings import Finding
from service.settings import describe, unknown_variables
from service.settings.checks import insecure_urls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.settings import Settings

CHECK = "settings"


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Find settings that are unknown, or insecure."""
    changed = sum(row.value != row.default for row in describe(settings) if row.value)
    yield Finding(CHECK, "ok", f"they are valid, and {changed} differ from the default")
    for unknown in unknown_variables(os.environ):
        yield Finding(CHECK, "warn", unknown, "correct its name, or unset it")
    for warning in insecure_urls(settings):
        yield Finding(CHECK, "warn", warning)
    if "*" in settings.connections.origins:
        yield Finding(
            CHECK,
            "warn",
            "WS_ALLOWED_ORIGINS is *: pages of any site may connect",
            "set it to the origins of your own pages",
        )
    yield from _check_proxy(settings)


def _check_proxy(settings: Settings) -> Iterator[Finding]:
    """Warn of a service that is reached by others, but takes no proxy into account."""
    is_local = settings.listen.host in {"127.0.0.1", "::1", "localhost"}
    if not is_local and not settings.addresses.trusted_hops:
        yield Finding(
            CHECK,
            "warn",
            f"WS_HOST={settings.listen.host} is open to others, and WS_TRUSTED_HOPS=0",
            "behind a proxy, set WS_TRUSTED_HOPS to the number of proxies; otherwise all clients "
            "share the limits of its address",
        )
