"""The annotation database: tables, migrations, transactions, backups."""
