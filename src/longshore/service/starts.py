"""Predicted starts, as instants and in words."""

from datetime import datetime, timedelta

from longshore.domain.job import Job
from longshore.domain.lifecycle.status import WAITING_STATUSES
from longshore.ports.store import JobView, Reader
from longshore.scheduling.explain import called, named_hosts
from longshore.scheduling.forecast.outlook import Forecast, Prediction
from longshore.service.documents import Document
from longshore.service.forecasts import Foresight
from longshore.service.held import held_since
from longshore.service.wording import counted

_NAMED = 3


class Start(Document, frozen=True):
    """When a waiting job is likely to start; of an array job when its next child is."""

    #: the whole in words
    text: str
    #: as likely before as after
    at: datetime | None = None
    #: one time in ten before
    earliest: datetime | None = None
    #: one time in ten after; None: how late it may be is not known
    latest: datetime | None = None
    #: later than that: no more was looked at
    after: datetime | None = None
    #: where it most likely starts
    environment: str | None = None
    #: several for a job of several nodes
    hosts: tuple[str, ...] = ()

    @property
    def is_at_once(self) -> bool:
        """Whether nothing keeps it."""
        return self.at is not None and self.at == self.latest == self.earliest


def start_of(reader: Reader, view: JobView, foresight: Foresight | None) -> Start | None:
    """What is predicted; None for what does not wait or is held, and while nothing is known."""
    job = view.job
    if foresight is None or not any(view.counts.get(status) for status in WAITING_STATUSES):
        return None
    if held_since(reader, [job]):
        return None
    return tell(_prediction(job, foresight.forecast), foresight)


def _prediction(job: Job, forecast: Forecast) -> Prediction:
    if job.is_array_parent:
        return forecast.first_between(job.spec.child_key(0), job.spec.last_key)
    return forecast.of(job.key)


def tell(prediction: Prediction, foresight: Foresight) -> Start:
    """A prediction in instants and words."""
    at, earliest, latest, after = (
        None if seconds is None else foresight.at + timedelta(seconds=seconds)
        for seconds in (prediction.median, prediction.early, prediction.late, prediction.after)
    )
    return Start(
        text=_text(prediction, foresight, at, earliest, latest, after),
        at=at,
        earliest=None if at is None else earliest,
        latest=latest,
        after=after,
        environment=prediction.environment or None if at is not None else None,
        hosts=prediction.hosts if at is not None else (),
    )


def _text(
    prediction: Prediction,
    foresight: Foresight,
    at: datetime | None,
    earliest: datetime | None,
    latest: datetime | None,
    after: datetime | None,
) -> str:
    now = foresight.at
    where = _where(prediction)
    if at is not None and earliest is not None:
        if prediction.late == 0:
            return f"at once{where}"
        if latest is None:
            soonest = f"about {clock(at, now)}, {clock(earliest, now)} at the earliest{where}"
            return f"{soonest}; how late it may be is {why_unknown(foresight)}"
        return f"about {clock(at, now)}, 8 times of 10 between {clock(earliest, now)} and {clock(latest, now)}{where}"
    if at is not None:
        too_few = (
            "how far from it it may be is not known: there was no time to look at more than a few courses of things"
        )
        return f"about {clock(at, now)}{where}; {too_few}"
    if after is not None:
        followed = max(map(len, foresight.forecast.starts))
        return f"later than {clock(after, now)}: no more than {counted(followed, 'start')} before it were looked at"
    if foresight.forecast.unknown:
        return why_unknown(foresight)
    return "never, as things are: what it waits for does not come by itself"


def _where(prediction: Prediction) -> str:
    if not prediction.environment:
        return ""
    hosts = "host" if len(prediction.hosts) == 1 else "hosts"
    return f", in {called(prediction.environment)} on {hosts} {named_hosts(prediction.hosts)}"


def why_unknown(foresight: Foresight) -> str:
    """Why nobody can tell an instant."""
    if not foresight.forecast.unknown:
        return "not known: not all that may come before it was looked at"
    unknown = sorted(foresight.forecast.unknown)
    names = [f"job definition {name.rpartition('/')[2]}" if name else "service jobs" for name in unknown]
    named = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return f"unknown: no job of {named} has ended so far, and none has a time-out that would bound it"


def clock(at: datetime, now: datetime) -> str:
    """An instant as exactly as it can matter: with seconds if it is soon, with its date if it is another day."""
    form = "%H:%M:%SZ" if abs(at - now) < timedelta(hours=1) else "%H:%MZ"
    return at.strftime(form if at.date() == now.date() else f"%Y-%m-%d {form}")
