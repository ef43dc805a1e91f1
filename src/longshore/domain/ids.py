"""Identifiers and ARNs: their forms, how they are made and how they are read."""

import re
from dataclasses import dataclass
from typing import NewType

#: Row key of a job. The children of an array job follow their parent: child `i` has key `parent + 1 + i`.
JobKey = NewType("JobKey", int)
#: 32 lower-case hex digits: the ECS-style task id of the first node and the last part of the log stream's name.
AttemptId = NewType("AttemptId", str)
#: Name of a host that we place on; `local` is this machine.
HostId = NewType("HostId", str)

_JOB_ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?::(0|[1-9][0-9]{0,8}))?")
_ATTEMPT_ID = re.compile(r"[0-9a-f]{32}")
_ARN = re.compile(r"arn:aws[a-z-]*:batch:([a-z0-9-]*):([0-9]{12}):([a-z-]+)/(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Scope:
    """Whose things they are: everything stored belongs to one account and region, and names are unique within it."""

    account_id: str
    region: str

    def arn(self, kind: str, resource: str) -> str:
        """The ARN of a Batch resource: `kind` is `job`, `job-queue`, `compute-environment`, ..."""
        return f"arn:aws:batch:{self.region}:{self.account_id}:{kind}/{resource}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arn:
    """A Batch ARN taken apart. Source: AWS Batch service authorization reference, resource types."""

    scope: Scope
    kind: str
    resource: str


def parse_arn(text: str) -> Arn | None:
    """`text` as a Batch ARN, or None when it is not one."""
    match = _ARN.fullmatch(text)
    if match is None:
        return None
    region, account_id, kind, resource = match.groups()
    return Arn(scope=Scope(account_id=account_id, region=region), kind=kind, resource=resource)


def resource_name(name_or_arn: str, kind: str, scope: Scope) -> str | None:
    """The name that a name-or-ARN argument means inside `scope`; None when it is an ARN of another kind or scope."""
    if not name_or_arn.startswith("arn:"):
        return name_or_arn
    arn = parse_arn(name_or_arn)
    return arn.resource if arn is not None and arn.kind == kind and arn.scope == scope else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobId:
    """A job's id as clients write it: a UUID, and for an array child `uuid:index`."""

    uuid: str
    index: int | None = None

    def __str__(self) -> str:
        return self.uuid if self.index is None else f"{self.uuid}:{self.index}"


def parse_job_id(text: str) -> JobId | None:
    """`text` as a job id, or None when it has another form."""
    match = _JOB_ID.fullmatch(text)
    if match is None:
        return None
    return JobId(uuid=match[1], index=None if match[2] is None else int(match[2]))


def is_attempt_id(text: str) -> bool:
    """Whether `text` has the form of an attempt id; such a text is safe as a file name."""
    return _ATTEMPT_ID.fullmatch(text) is not None
