"""Tags on when a job is given up and what it is tried again for: how each is written."""

import re

from longshore.domain.job import JobSpec
from longshore.domain.retry import OnOom
from longshore.service.refusals import invalid

START_DEADLINE = "longshore:start-deadline"
HOST_RETRIES = "longshore:host-retries"
ON_OOM = "longshore:on-oom"

_ON_OOM = re.compile(
    r"(?:x(?P<factor>[0-9]{1,3}(?:\.[0-9]{1,3})?)|\+(?P<plus>[0-9]{1,9}))(?: max=(?P<most>[0-9]{1,9}))?"
)

_MOST_SECONDS = 366 * 24 * 3600
_MOST_LOSSES = 1000


def read_seconds(name: str, text: str) -> int:
    """Whole seconds. Raises InvalidRequest."""
    return _whole(name, text, 1, _MOST_SECONDS, "a whole number of seconds")


def read_losses(name: str, text: str) -> int:
    """How many hosts may be lost. Raises InvalidRequest."""
    return _whole(name, text, 0, _MOST_LOSSES, "a whole number")


def read_on_oom(name: str, text: str) -> OnOom:
    """How memory is raised after a kill for lack of it. Raises InvalidRequest."""
    found = _ON_OOM.fullmatch(text)
    if found is None:
        raise invalid(
            f"{name} should be a factor such as x2 or x1.5, or more MiB such as +1024, and may end with the most MiB "
            f"to ask for, such as x2 max=32768; got {text[:100]!r}"
        )
    factor, plus, most = found["factor"], found["plus"], found["most"]
    on_oom = OnOom(
        factor_milli=round(float(factor) * 1000) if factor else 1000,
        plus_mib=int(plus or 0),
        most_mib=int(most) if most else None,
    )
    if on_oom.factor_milli <= 1000 and on_oom.plus_mib == 0:
        raise invalid(f"{name} should raise the memory: a factor above 1 or at least +1, got {text[:100]!r}")
    return on_oom


def check_on_oom(spec: JobSpec) -> None:
    """Raises InvalidRequest when a job's memory could never be raised as it asks."""
    on_oom, asked = spec.powers.on_oom, spec.resources.memory_mib
    if on_oom is None:
        return
    if spec.container is None:
        raise invalid(f"{ON_OOM} is for jobs with containerProperties: among several containers memory is not moved")
    if spec.retry.attempts < 2:
        raise invalid(
            f"{ON_OOM} needs a retryStrategy with at least 2 attempts: an attempt with more memory is one of them"
        )
    if on_oom.most_mib is not None and on_oom.most_mib <= asked:
        raise invalid(f"{ON_OOM} should have a max above the {asked} MiB that the job asks for, got {on_oom.most_mib}")


def _whole(name: str, text: str, least: int, most: int, what: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most:
        return int(text)
    raise invalid(f"{name} should be {what} from {least} to {most}, got {text[:100]!r}")
