"""`ws-service erase`: erase names and chat texts, which are kept outside the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from service.cli.common import opened_log, run
from service.cli.matches import parse_since
from service.domain.ids import parse_user_id
from service.eventstore import erasure
from service.eventstore.postgres_schema import driver_url
from service.settings import load_settings

if TYPE_CHECKING:
    from service.domain.ids import UserId


def erase(user: str | None, texts_before: str | None) -> None:
    """Erase the name and the texts of a user, or all texts before a time."""
    if (user is None) == (texts_before is None):
        raise typer.BadParameter("give either --user or --texts-before")
    try:
        of = None if user is None else parse_user_id(user)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--user") from error
    before = None
    if texts_before is not None:
        before = parse_since(texts_before, time.time(), "--texts-before")
    run(_erase(of, before))


async def _erase(user: UserId | None, before: int | None) -> None:
    async with opened_log() as reader:
        chats = await erasure.chats_said(reader, author=user, before=before)
    storage = load_settings().storage
    postgres = driver_url(storage.database_url)
    if postgres is None:
        erased = erasure.erase(storage.log_file, user, chats)
    else:
        from service.eventstore import postgres_commands  # noqa: PLC0415 - slow to import

        erased = postgres_commands.erase(postgres, user, chats)
    print(f"erased: {_count(erased.names, 'name')}, {_count(erased.texts, 'text')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
