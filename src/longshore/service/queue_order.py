"""Tags of a queue that say in which order its jobs start: `longshore:backfill` and `longshore:age-bound`."""

from typing import cast, get_args

from longshore.domain.powers import Backfill
from longshore.service.refusals import invalid

BACKFILL = "longshore:backfill"
AGE_BOUND = "longshore:age-bound"

_MOST_SECONDS = 10 * 366 * 24 * 3600


def parse_backfill(name: str, text: str) -> Backfill:
    """What jobs may do behind one that has to wait. Raises InvalidRequest when it is malformed."""
    choices = get_args(Backfill)
    if text not in choices:
        raise invalid(f"{name} should be one of {', '.join(choices)}, got {text[:64]!r}")
    return cast("Backfill", text)


def parse_age_bound(name: str, text: str) -> int:
    """Seconds. Raises InvalidRequest when it is malformed."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= _MOST_SECONDS):
        raise invalid(f"{name} should be seconds, a whole number from 1 to {_MOST_SECONDS}, got {text[:64]!r}")
    return int(text)
