"""Access keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text()),
        sa.Column("actions", sa.Text()),
        sa.Column("is_enabled", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.CheckConstraint("is_enabled = 0 OR is_enabled = 1", name=op.f("ck_access_keys_is_enabled")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_keys")),
        sqlite_with_rowid=False,
    )
