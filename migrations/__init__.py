"""Alembic migrations of the tables, for SQLite and PostgreSQL."""
