"""What tests make in place of a migrated database is the same to the last table."""

from __future__ import annotations

import sqlite3

from sqlalchemy import create_engine

from studio.annotation import AnnotationStore
from studio.annotation.database import connection as database

SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"


def schema(path) -> list[tuple]:
    with sqlite3.connect(path) as connection:
        found = connection.execute(SCHEMA).fetchall()
        version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    connection.close()
    return [*found, *version]


def test_a_new_database_of_tests_is_a_migrated_one(tmp_path, migrate):
    AnnotationStore(f"sqlite:///{tmp_path / 'quick.db'}").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'slow.db'}")
    with engine.begin() as connection:
        migrate(connection, "slow")
    engine.dispose()
    assert database.migrate is not migrate
    assert schema(tmp_path / "quick.db") == schema(tmp_path / "slow.db")
