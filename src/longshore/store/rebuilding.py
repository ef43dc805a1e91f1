"""Migrations of tables whose rules or columns in the middle SQLite can't change: the rows move to a table made anew."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op


def rebuild(table: str, changes: Mapping[str, str], added: Mapping[str, str] | None = None) -> None:
    """Make a SQLite table anew with a changed text, and its indexes; `added` columns have these values, as SQL."""
    bind = op.get_bind()
    texts = bind.execute(
        sa.text("SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL"), {"name": table}
    ).all()
    (made,) = (text for kind, _, text in texts if kind == "table")
    for old, new in changes.items():
        assert made.count(old) == 1, old
        made = made.replace(old, new)
    kept = [column["name"] for column in sa.inspect(bind).get_columns(table)]
    values = dict(zip(kept, kept, strict=True)) | dict(added or {})
    indexes = [(name, text) for kind, name, text in texts if kind == "index"]
    for name, _ in indexes:
        op.drop_index(name, table)
    op.rename_table(table, f"{table}_before")
    bind.exec_driver_sql(made)
    bind.exec_driver_sql(
        f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {table}_before"
    )
    op.drop_table(f"{table}_before")
    for _, text in indexes:
        bind.exec_driver_sql(text)
