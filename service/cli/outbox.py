"""`ws-service outbox`: pending and rejected deliveries of finished matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich.table import Table

from service.cli.common import console, format_time, opened_log, run
from service.domain.events.outbox import USER_SERVICE
from service.errors import ServiceError
from service.eventstore import migrate
from service.eventstore.postgres_schema import driver_url
from service.eventstore.read_models.outbox import entries
from service.eventstore.read_models.outbox_notes import retry_now
from service.settings import load_settings

if TYPE_CHECKING:
    from service.eventstore.read_models.outbox import Entry


class NoSuchDelivery(ServiceError):
    """There is no pending or rejected delivery of such a match."""


def list_entries(*, as_json: bool) -> None:
    """List pending and rejected deliveries, the oldest first."""
    run(_list(as_json=as_json))


def retry(match: str) -> None:
    """Make the deliveries of a match due, also rejected ones; the running service sends them."""
    run(_retry(match))


async def _list(*, as_json: bool) -> None:
    async with opened_log() as reader:
        found = await entries(reader)
    if as_json:
        for entry in found:
            print(msgspec.json.encode(entry).decode())
    elif not found:
        print("no pending or rejected deliveries")
    else:
        console().print(_table(found))


def _table(found: list[Entry]) -> Table:
    table = Table("match", "consumer", "ended (UTC)", "state", "attempts", "next", "last error")
    for entry in found:
        table.add_row(
            entry.match,
            entry.consumer,
            format_time(entry.ended_at)[:19],
            entry.state,
            str(entry.attempts),
            _next(entry),
            entry.last_error or "",
        )
    return table


def _next(entry: Entry) -> str:
    if entry.next_at is None:
        return "" if entry.state == "rejected" else "with a token"
    return format_time(entry.next_at)[:19] if entry.next_at else "now"


async def _retry(start: str) -> None:
    url = load_settings().storage.database_url
    async with opened_log() as reader:
        found = await entries(reader, start=start)
    if not found:
        raise NoSuchDelivery(
            f"no pending or rejected delivery of a match that begins with {start!r}"
        )
    postgres = driver_url(url)
    if postgres is None:
        with_token = retry_now(migrate.database_path(url), found)
    else:
        from service.eventstore import postgres_commands  # noqa: PLC0415 - slow to import

        with_token = postgres_commands.retry_now(postgres, found)
    for entry in found:
        print(_promise(entry, has_token=entry.match in with_token))


def _promise(entry: Entry, *, has_token: bool) -> str:
    """Describe what a retry will do; the user service needs a token of the reporting player."""
    promise = f"{entry.match} will be delivered to {entry.consumer}"
    if entry.consumer != USER_SERVICE or has_token:
        return promise
    if load_settings().user_service.token is not None:
        return f"{promise} by USER_SERVICE_TOKEN"
    return (
        f"{promise} when the reporting player connects again: there is no stored token, and "
        "USER_SERVICE_TOKEN is not set"
    )
