"""Brings the database to the schema of this version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Engine

_PACKAGE = Path(__file__).parent.parent


def alembic_config() -> Config:
    """Find alembic.ini: inside an installed package, or at the top of a checkout."""
    inside = _PACKAGE / "alembic.ini"
    return Config(inside if inside.exists() else _PACKAGE.parent / "alembic.ini")


def database_path(url: str) -> Path:
    """Return the file of an SQLite URL."""
    return Path(make_url(url).database or "")


def upgrade(url: str) -> None:
    """Bring the database to the newest schema, in one transaction; it may not exist yet."""
    database_path(url).parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(url)
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def current(url: str) -> str | None:
    """Return the revision of the database, or None when it has none."""
    if not database_path(url).exists():
        return None
    engine = _engine(url)
    with engine.connect() as connection:
        revision: str | None = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return revision


def newest() -> str | None:
    """Return the revision that this version wants."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def check(url: str) -> None:
    """Raise `ConfigurationError` unless the database has the newest schema."""
    found, wanted = current(url), newest()
    if found != wanted:
        raise ConfigurationError(
            f"the database has schema {found or 'none'}, this version wants {wanted}: "
            "run `ws-service db upgrade`"
        )


def _engine(url: str) -> Engine:
    return create_engine(make_url(url).set(drivername="sqlite"))
