"""What three users with weights 1, 1 and 2 really get of a machine, by the history of their jobs."""

from pathlib import Path

import pytest

from tests.integration.live import live_server
from tests.integration.process.three_users import PARTS, SETTINGS, live_through

pytestmark = pytest.mark.timeout(180)

SECONDS = 40.0


def test_measured_shares_converge(tmp_path: Path) -> None:
    """To 3.2, 3.2 and 1.6 vCPUs, however long each one's jobs run; each job that waited was told why."""
    with live_server(tmp_path, settings=SETTINGS) as live:
        live.start()
        history = live_through(live, seconds=SECONDS)
    assert history.held("alpha", 0.5, 1.5) > PARTS["alpha"] + 2, "alone on the machine at first"
    assert history.parts(SECONDS / 3, SECONDS - 2) == pytest.approx(PARTS, rel=0.15)
    assert len(history.explained) > 500
    assert all(history.explained.values())
