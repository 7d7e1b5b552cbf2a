"""`ws-service db`: the schema of the database."""

from __future__ import annotations

import re

from service.cli.progress import progress_of
from service.errors import ConfigurationError
from service.eventstore import migrate
from service.eventstore.copying import copy_log
from service.settings import load_settings
from service.settings.kinds import DATABASE_URL


def upgrade() -> None:
    """Migrate the database to the newest schema; create it if there is none."""
    url = load_settings().storage.database_url
    before = migrate.current(url)
    migrate.upgrade(url)
    after = migrate.current(url)
    same = before == after
    print(f"schema {after}, as before" if same else f"schema {before or 'none'} -> {after}")


def copy(target: str) -> None:
    """Copy the configured log to the database at the URL `target`, and verify the copy."""
    if not re.match(DATABASE_URL, target):
        raise ConfigurationError(
            "--to must be sqlite+aiosqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
        )
    source = load_settings().storage.database_url
    with progress_of("copying and verifying") as progress:
        head = copy_log(source, target, progress)
    print(f"ok: {head.position} events copied and verified")
    print("set WS_DATABASE_URL to the new database, and keep WS_DATA_DIR, before the next start")


def current() -> None:
    """Show the schema of the database, and the one of this version."""
    found = migrate.current(load_settings().storage.database_url)
    print(f"schema {found or 'none'}, newest is {migrate.newest()}")


def check() -> None:
    """End with an error unless the database has the newest schema."""
    migrate.check(load_settings().storage.database_url)
    print("the database has the newest schema")
