"""Run by Alembic; the connection is handed over by `studio.annotation.database.connection`."""

from alembic import context

from studio.annotation.database.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
