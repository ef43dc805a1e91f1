"""How long attempts of each family of jobs ran, begun with the latest of those that are in history."""

import json
import math
import re
from collections import Counter
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

#: So many are looked at: this takes a fraction of a second however long history is.
MOST_ATTEMPTS = 20_000
#: As in `domain.run_lengths`, and never changed here.
MADE_UP = re.compile(
    r"(?<![0-9A-Za-z])(?=[a-f-]*[0-9])[0-9a-f]{8,}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?(?![0-9A-Za-z])"
)
LATEST = """
SELECT queue_names.account_id, queue_names.region, submitted.definition_name,
       attempts.started_at, attempts.stopped_at
FROM (SELECT * FROM attempts ORDER BY job_key DESC, number DESC LIMIT :most) AS attempts
JOIN jobs ON jobs.key = attempts.job_key
JOIN jobs AS submitted ON submitted.key = coalesce(jobs.parent_key, jobs.key)
JOIN queue_names ON queue_names.id = submitted.queue_id
WHERE attempts.started_at IS NOT NULL AND attempts.stopped_at IS NOT NULL AND submitted.definition_name <> ''
  AND (attempts.stop_cause = 'timed-out' OR (attempts.stop_cause IS NULL AND attempts.exit_code IS NOT NULL))
"""


def upgrade() -> None:
    histories = op.create_table(
        "run_histories",
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("family", name=op.f("pk_run_histories")),
        sqlite_with_rowid=False,
    )
    weights: dict[str, Counter[int]] = {}
    ended: Counter[str] = Counter()
    for account_id, region, name, started_at, stopped_at in op.get_bind().execute(
        sa.text(LATEST), {"most": MOST_ATTEMPTS}
    ):
        family = f"{account_id}/{region}/{MADE_UP.sub('*', name)}"
        seconds = max((stopped_at - started_at) / 1000, 0.001)
        weights.setdefault(family, Counter())[math.floor(math.log(seconds) / math.log(1.1))] += 1
        ended[family] = max(ended[family], stopped_at)
    op.bulk_insert(histories, [_row(family, found, ended[family]) for family, found in weights.items()])


def _row(family: str, found: Counter[int], ended_at: int) -> dict[str, object]:
    count = found.total()
    scale = min(1.0, 289 / count)  # what many attempts in a row come to
    body = {
        "family": family,
        "count": count,
        "at": datetime.fromtimestamp(ended_at / 1000, UTC).isoformat(),
        "weights": {number: times * scale for number, times in found.items()},
    }
    return {"family": family, "version": 1, "body": json.dumps(body)}
