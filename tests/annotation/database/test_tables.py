"""The migrations build exactly the declared tables."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from studio.annotation.database.connection import MIGRATIONS, REVISION, Database
from studio.annotation.database.tables import Base


def test_migrations_build_exactly_the_tables(url):
    database = Database(url)
    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, parents: "_fts" not in (name or "")},
        )
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == REVISION
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == REVISION
