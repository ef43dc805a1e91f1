"""Names of our own in tags and parameters: what is known of which thing, and how each is read.

Short ones are tags, which the tags of a job definition may hold for all its jobs; long ones are parameters of
SubmitJob, in JSON. A name that is not known is refused: one that was mistyped would have no effect, and nobody would
see it.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from longshore.domain.errors import InvalidRequest
from longshore.domain.powers import JobPowers, QueuePowers
from longshore.domain.queue import SERVICE_QUEUE, JobQueue
from longshore.service.client_tokens import TOKEN_TAG
from longshore.service.depends_on import DEPENDS_ON, parse_depends_on
from longshore.service.naming import ENGINE_TAG
from longshore.service.own_override import OVERRIDE
from longshore.service.power_texts import read_count, read_flag, read_key, read_vcpus
from longshore.service.queue_order import AGE_BOUND, BACKFILL, parse_age_bound, parse_backfill
from longshore.service.refusals import invalid
from longshore.service.retry_powers import (
    HOST_RETRIES,
    ON_OOM,
    START_DEADLINE,
    read_losses,
    read_on_oom,
    read_seconds,
)

PREFIX = "longshore:"

#: A field of the powers, and how its text is read; the reader is given the name as well, for what it refuses.
Power = tuple[str, Callable[[str, str], Any]]

QUOTA_SHARE, PREEMPTION_RETRIES = PREFIX + "quota-share", PREFIX + "preemption-retries"
HOLD, PAUSED = PREFIX + "hold", PREFIX + "paused"
MAX_CONCURRENT, CONCURRENCY_KEY = PREFIX + "max-concurrent", PREFIX + "concurrency-key"


def _name(tag: str, text: str) -> str:
    if not text:
        raise invalid(f"{tag} should be a name, got nothing")
    return text


def _count(tag: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid(f"{tag} should be a whole number of at least 0, got {text[:100]!r}")
    return int(text)


_JOB_TAGS: Mapping[str, Power] = {
    QUOTA_SHARE: ("quota_share", _name),
    PREEMPTION_RETRIES: ("preemption_retries", _count),
    HOLD: ("is_held", read_flag),
    MAX_CONCURRENT: ("max_concurrent", read_count),
    CONCURRENCY_KEY: ("concurrency_key", read_key),
    START_DEADLINE: ("start_deadline_seconds", read_seconds),
    HOST_RETRIES: ("host_retries", read_losses),
    ON_OOM: ("on_oom", read_on_oom),
}
_JOB_PARAMETERS: Mapping[str, Power] = {DEPENDS_ON: ("depends_on", parse_depends_on)}
_QUEUE_TAGS: Mapping[str, Power] = {
    BACKFILL: ("backfill", parse_backfill),
    AGE_BOUND: ("age_bound_seconds", parse_age_bound),
    PAUSED: ("is_paused", read_flag),
    "longshore:max-jobs": ("max_jobs", read_count),
    "longshore:max-vcpus": ("max_vcpu_milli", read_vcpus),
    "longshore:max-jobs-per-share": ("max_jobs_per_share", read_count),
    "longshore:max-vcpus-per-share": ("max_vcpu_milli_per_share", read_vcpus),
}

_TAGS_OF: Mapping[str, Collection[str]] = {
    "a job": (TOKEN_TAG, *_JOB_TAGS),
    "a job definition": tuple(_JOB_TAGS),
    "a service job": (CONCURRENCY_KEY,),
    "a job queue": tuple(_QUEUE_TAGS),
    "a compute environment": (ENGINE_TAG,),
    "a service environment": (ENGINE_TAG,),
}


def job_powers(definition_tags: Mapping[str, str], tags: Mapping[str, str], parameters: Mapping[str, str]) -> JobPowers:
    """What a submission asks for; its own tags come before those of its definition.

    Raises:
        InvalidRequest: a name of ours is not known, or its value is malformed.
    """
    _refuse_unknown(parameters, (OVERRIDE, *_JOB_PARAMETERS), "parameters of SubmitJob")
    tags = {**definition_tags, **tags}
    return JobPowers(**_read(tags, _JOB_TAGS), **_read(parameters, _JOB_PARAMETERS))


def queue_powers(tags: Mapping[str, str]) -> QueuePowers:
    """What a queue with these tags asks for. A malformed value is older than the power that it means, and no value."""
    return _queue_powers(tuple(sorted((name, text) for name, text in tags.items() if name in _QUEUE_TAGS)))


@lru_cache(maxsize=1024)
def _queue_powers(tags: tuple[tuple[str, str], ...]) -> QueuePowers:
    found: dict[str, Any] = {}
    for name, text in tags:
        with suppress(InvalidRequest):
            found |= _read({name: text}, _QUEUE_TAGS)
    return QueuePowers(**found)


def check_own_tags(tags: Mapping[str, str], of: str) -> None:
    """Raises InvalidRequest when a tag of ours means nothing to `of`, such as "a job queue", or is malformed."""
    _refuse_unknown(tags, _TAGS_OF.get(of, ()), f"tags of {of}")
    _read(tags, _QUEUE_TAGS if of == "a job queue" else _JOB_TAGS)


def check_queue_tags(queue: JobQueue) -> None:
    """As `check_own_tags`; also raises InvalidRequest for a limit on what jobs of this queue do not have."""
    check_own_tags(queue.tags, "a job queue")
    for name in queue.tags.keys() & _QUEUE_TAGS.keys():
        if name.endswith("-per-share") and queue.scheduling_policy_arn is None:
            raise invalid(f"{name} is for job queues with a scheduling policy: jobs of {queue.name} have no shares")
        if "vcpus" in name and queue.queue_type == SERVICE_QUEUE:
            raise invalid(f"{name} is not for queues of service jobs, which ask for instances and not for vCPUs")


def without_own(parameters: Mapping[str, str]) -> Mapping[str, str]:
    """The parameters that a command may refer to."""
    if not any(name.startswith(PREFIX) for name in parameters):
        return parameters
    return {name: value for name, value in parameters.items() if not name.startswith(PREFIX)}


def _read(texts: Mapping[str, str], powers: Mapping[str, Power]) -> dict[str, Any]:
    return {field: read(name, texts[name]) for name, (field, read) in powers.items() if name in texts}


def _refuse_unknown(texts: Mapping[str, str], known: Collection[str], where: str) -> None:
    for name in texts:
        if name.startswith(PREFIX) and name not in known:
            names = f"may be {', '.join(sorted(known))}" if known else "are none"
            raise invalid(f"{name[:128]} is not known: names with {PREFIX} among {where} {names}")
