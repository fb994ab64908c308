"""All SQL of the hub, on SQLite and PostgreSQL alike: tables, migrations, unit of work and repositories."""
