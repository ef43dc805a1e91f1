"""What one more job, or any other change of the present, does to the starts of the jobs that wait.

Draw by draw the same jobs have the same luck in both outlooks, so the difference is of the change alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.domain.ids import JobKey
from longshore.scheduling.forecast.outlook import Forecast, quantile

#: On average; less is no delay.
_LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How much later a job starts, in seconds; each None where it does not start any more."""

    #: as likely more as less
    median: float | None
    #: nine times of ten no more
    late: float | None


def delays(before: Forecast, after: Forecast) -> Mapping[JobKey, Shift]:
    """Jobs that start later, as far as both were followed; by key, in no order."""
    seen: dict[JobKey, list[float]] = {}
    for first, second, horizon in zip(before.starts, after.starts, after.horizons, strict=False):
        for key, at in first.items():
            if at <= horizon:  # else the second was not followed so far
                seen.setdefault(key, []).append(second.get(key, horizon) - at)
    return {
        key: Shift(median=quantile(shifts, 0.5), late=quantile(shifts, 0.9))
        for key, found in seen.items()
        if sum(shifts := sorted(found)) / len(shifts) >= _LEAST_SECONDS
    }
