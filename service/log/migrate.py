"""Brings the database to the schema of this version."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import DBAPIError

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_PACKAGE = Path(__file__).parent.parent


def alembic_config() -> Config:
    """Find alembic.ini: inside an installed package, or at the top of a checkout."""
    inside = _PACKAGE / "alembic.ini"
    return Config(inside if inside.exists() else _PACKAGE.parent / "alembic.ini")


def database_path(url: str) -> Path:
    """Return the file of an SQLite URL."""
    return Path(make_url(url).database or "")


def read_only(url: str) -> str:
    """Return a URL by which neither the database nor its WAL is ever changed."""
    file = f"file:{quote(str(database_path(url)))}"
    read = make_url(url).set(database=file, query={"mode": "ro", "uri": "true"})
    return read.render_as_string(hide_password=False)


def upgrade(url: str) -> None:
    """Bring the database to the newest schema, in one transaction; it may not exist yet.

    Raises `ConfigurationError` for a database that can't be used or is of a later version.
    """
    _refuse_later(current(url))
    database_path(url).parent.mkdir(parents=True, exist_ok=True)
    with _connected(url) as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def current(url: str) -> str | None:
    """Return the revision of the database, or None when it has none.

    Raises `ConfigurationError` for a database that can't be used.
    """
    if not database_path(url).exists():
        return None
    with _connected(read_only(url)) as connection:
        revision: str | None = MigrationContext.configure(connection).get_current_revision()
    return revision


def newest() -> str | None:
    """Return the revision that this version wants."""
    return _revisions().get_current_head()


def check(url: str) -> None:
    """Raise `ConfigurationError` unless the database has the newest schema."""
    if not database_path(url).exists():
        raise ConfigurationError(
            f"there is no event log at {database_path(url)}: check WS_DATA_DIR and "
            "WS_DATABASE_URL; `ws-service serve` and `ws-service db upgrade` make a new, empty one"
        )
    found, wanted = current(url), newest()
    _refuse_later(found)
    if found != wanted:
        raise ConfigurationError(
            f"the database has schema {found or 'none'}, this version wants {wanted}: "
            "run `ws-service db upgrade`"
        )


def _revisions() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def _refuse_later(found: str | None) -> None:
    known = {script.revision for script in _revisions().walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            f"the database has schema {found}, which only a later version knows: use that version"
        )


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = create_engine(make_url(url).set(drivername="sqlite"))
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        path = database_path(url)
        raise ConfigurationError(
            f"the database {path} can't be used: {error.orig}; if it is damaged, restore a backup"
        ) from error
    finally:
        engine.dispose()
