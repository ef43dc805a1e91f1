"""Scratch disk and parts of GPUs that attempts hold, and the most disk that they used."""

import sqlalchemy as sa
from alembic import op

from longshore.store.rebuilding import rebuild

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

HELD = "vcpu_milli >= 0 AND memory_mib >= 0 AND gpus >= 0"
HELD_NOW = f"{HELD} AND scratch_mib >= 0 AND gpu_milli >= 0"
GPUS = "gpus INTEGER NOT NULL, "
PEAK = "peak_memory_bytes BIGINT, "


def upgrade() -> None:
    for table in ("attempts", "attempt_parts"):
        if op.get_bind().dialect.name == "sqlite":
            changes = {
                HELD: HELD_NOW,
                GPUS: f"{GPUS}\n\tscratch_mib BIGINT NOT NULL, \n\tgpu_milli INTEGER NOT NULL, ",
                PEAK: f"{PEAK}\n\tpeak_scratch_bytes BIGINT, ",
            }
            rebuild(table, changes, {"scratch_mib": "0", "gpu_milli": "0", "peak_scratch_bytes": "NULL"})
            continue
        for name, kind in (("scratch_mib", sa.BigInteger()), ("gpu_milli", sa.Integer())):
            op.add_column(table, sa.Column(name, kind, nullable=False, server_default="0"))
            op.alter_column(table, name, server_default=None)
        op.add_column(table, sa.Column("peak_scratch_bytes", sa.BigInteger()))
        op.drop_constraint(op.f(f"ck_{table}_resources"), table)
        op.create_check_constraint(op.f(f"ck_{table}_resources"), table, HELD_NOW)
