"""New SQLite databases of tests get their tables from one that was migrated, not by migrating."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from studio.annotation.database import connection as database

SECRET = "b" * 64
"""Of every database of a test, so that sides and second showings are drawn alike each time."""
TABLES = (
    "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' "
    "AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') "
    "ORDER BY type <> 'table'"
)


def made_quickly(patch: pytest.MonkeyPatch, folder: Path) -> Callable[..., None]:
    """Until `patch` is undone; returns what it replaces.

    Running every migration takes a tenth of a second for each test.
    """
    migrate, found = database.migrate, []

    def quick(connection: Connection, shown: str, revision: str = "head") -> None:
        empty = "SELECT count(*) FROM sqlite_master"
        if connection.dialect.name != "sqlite" or revision != "head":
            return migrate(connection, shown, revision)
        if connection.exec_driver_sql(empty).scalar():
            return migrate(connection, shown, revision)
        if not found:
            found.extend(_statements(folder / "template.db", migrate))
        for statement in found:
            connection.exec_driver_sql(statement)

    patch.setattr(database, "migrate", quick)
    return migrate


def _statements(path: Path, migrate: Callable[..., None]) -> list[str]:
    """What makes the tables that the migrations make, and names their revision."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "migrate", migrate)
        database._create_if_absent(path)
    with sqlite3.connect(path) as connection:
        made = [sql for (sql,) in connection.execute(TABLES)]
    connection.close()
    secret = f"INSERT INTO secrets VALUES ('showings', '{SECRET}')"
    return [*made, secret, f"INSERT INTO alembic_version VALUES ('{database.REVISION}')"]
