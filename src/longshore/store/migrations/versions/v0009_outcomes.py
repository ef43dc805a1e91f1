"""Dependencies on the failure of a job, or on its end, beside those on its success."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = "job_key, on_key, type"


def upgrade() -> None:
    # The column is part of the key: the rows move to a new table.
    op.drop_index("ix_job_dependencies_on", "job_dependencies")
    op.rename_table("job_dependencies", "job_dependencies_before")
    op.create_table(
        "job_dependencies",
        sa.Column("job_key", KEY, autoincrement=False, nullable=False),
        sa.Column("on_key", KEY, autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "type = '' OR type = 'N_TO_N' OR type = 'SEQUENTIAL'", name=op.f("ck_job_dependencies_type")
        ),
        sa.CheckConstraint(
            "outcome = 'end' OR outcome = 'failure' OR outcome = 'success'", name=op.f("ck_job_dependencies_outcome")
        ),
        sa.PrimaryKeyConstraint("job_key", "on_key", "type", "outcome", name=op.f("pk_job_dependencies")),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO job_dependencies ({COLUMNS}, outcome) SELECT {COLUMNS}, 'success' FROM job_dependencies_before"
    )
    op.drop_table("job_dependencies_before")
    op.create_index("ix_job_dependencies_on", "job_dependencies", ["on_key"])
