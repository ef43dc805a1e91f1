"""Quota shares, and what jobs and attempts have for preemption: a count and a cause."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COUNTED = "lost_hosts >= 0 AND attempts_made >= lost_hosts"
COUNTED_NOW = "lost_hosts >= 0 AND preemptions >= 0 AND attempts_made >= lost_hosts + preemptions"
CAUSES = "stop_cause IS NULL OR stop_cause = 'terminated' OR stop_cause = 'timed-out'"
CAUSES_NOW = "stop_cause IS NULL OR stop_cause = 'preempted' OR stop_cause = 'terminated' OR stop_cause = 'timed-out'"
COLUMN = "lost_hosts INTEGER NOT NULL, "


def upgrade() -> None:
    op.create_table(
        "quota_shares",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "name", name=op.f("pk_quota_shares")),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":  # it can't change rules: the rows move to tables with new ones
        _rebuild("jobs", {COLUMN: f"{COLUMN}\n\tpreemptions INTEGER NOT NULL, ", COUNTED: COUNTED_NOW}, "preemptions")
        _rebuild("attempts", {CAUSES: CAUSES_NOW})
        return
    op.add_column("jobs", sa.Column("preemptions", sa.Integer(), nullable=False, server_default="0"))
    op.alter_column("jobs", "preemptions", server_default=None)
    for table, rule, text in (("jobs", "attempts_made", COUNTED_NOW), ("attempts", "stop_cause", CAUSES_NOW)):
        op.drop_constraint(op.f(f"ck_{table}_{rule}"), table)
        op.create_check_constraint(op.f(f"ck_{table}_{rule}"), table, text)


def _rebuild(table: str, changes: dict[str, str], added: str = "") -> None:
    """Make a SQLite table anew with a changed text, and its indexes; the column that is `added` has zeros."""
    bind = op.get_bind()
    texts = bind.execute(
        sa.text("SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL"), {"name": table}
    ).all()
    (made,) = (text for kind, _, text in texts if kind == "table")
    for old, new in changes.items():
        assert made.count(old) == 1, old
        made = made.replace(old, new)
    columns = ", ".join(column["name"] for column in sa.inspect(bind).get_columns(table))
    indexes = [(name, text) for kind, name, text in texts if kind == "index"]
    for name, _ in indexes:
        op.drop_index(name, table)
    op.rename_table(table, f"{table}_before")
    bind.exec_driver_sql(made)
    into, values = (f"{columns}, {added}", f"{columns}, 0") if added else (columns, columns)
    bind.exec_driver_sql(f"INSERT INTO {table} ({into}) SELECT {values} FROM {table}_before")
    op.drop_table(f"{table}_before")
    for _, text in indexes:
        bind.exec_driver_sql(text)
