"""What the leader has published of why classes of waiting jobs wait."""

from collections.abc import Iterable, Mapping

import msgspec

from longshore.domain.ids import JobKey, parse_job_id
from longshore.domain.job import Job
from longshore.ports.store import Reader
from longshore.scheduling.classes import class_id


class Published(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a class of waiting jobs waits, as it is stored."""

    status_reason: str
    causes: tuple[str, ...]
    #: id of the job ahead that it waits for, when that is why
    behind: str | None = None


def published_reasons(reader: Reader, jobs: Iterable[Job]) -> Mapping[JobKey, Published]:
    """By the key of each job's submission; without those of which nothing is published."""
    classes = {job.spec.key: class_id(job.spec, job.scheduling_priority) for job in jobs}
    texts = reader.class_reasons(set(classes.values()))
    reasons = {key: msgspec.json.decode(text, type=Published) for key, text in texts.items()}
    return {key: reasons[name] for key, name in classes.items() if name in reasons}


def root_reason(reader: Reader, job: Job) -> Published | None:
    """Why a job waits, or its children do; behind a job ahead the causes are that job's, where they are known."""
    reason = published_reasons(reader, [job]).get(job.spec.key)
    ahead = parse_job_id(reason.behind) if reason is not None and reason.behind is not None else None
    if reason is None or ahead is None:
        return reason
    keys = reader.find_jobs(job.spec.scope, [ahead]).values()
    for other in reader.load_jobs(list(keys)).values():
        of_ahead = published_reasons(reader, [other]).get(other.spec.key)
        if of_ahead is not None and of_ahead.behind is None:
            return msgspec.structs.replace(reason, causes=of_ahead.causes)
    return reason
