"""Identifiers and ARNs: their forms, how they are made and how they are read."""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import NewType

#: Row key of a job. The children of an array job follow their parent: child `i` has key `parent + 1 + i`.
JobKey = NewType("JobKey", int)
#: 32 lower-case hex digits: the ECS-style task id of the first node and the last part of the log stream's name.
AttemptId = NewType("AttemptId", str)
#: Name of a host that we place on; `local` is this machine.
HostId = NewType("HostId", str)

_JOB_ID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:([:#])(0|[1-9][0-9]{0,8}))?")
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
    """A job's id as clients write it: a UUID, for an array child `uuid:index`, for a node of a job `uuid#node`."""

    uuid: str
    index: int | None = None
    #: never set on a stored job: nodes are shown as jobs, and are parts of one
    node: int | None = None

    def __str__(self) -> str:
        if self.node is not None:
            return f"{self.uuid}#{self.node}"
        return self.uuid if self.index is None else f"{self.uuid}:{self.index}"


def parse_job_id(text: str) -> JobId | None:
    """`text` as a job id, or None when it has another form."""
    match = _JOB_ID.fullmatch(text)
    if match is None:
        return None
    uuid, mark, number = match.groups()
    return JobId(uuid=uuid, index=int(number) if mark == ":" else None, node=int(number) if mark == "#" else None)


def is_attempt_id(text: str) -> bool:
    """Whether `text` has the form of an attempt id; such a text is safe as a file name."""
    return _ATTEMPT_ID.fullmatch(text) is not None


def task_id(attempt_id: AttemptId, node: int) -> AttemptId:
    """The ECS-style task id of one node of an attempt: that of the first is the attempt's own."""
    return attempt_id if node == 0 else _derived(attempt_id, str(node))


def part_id(attempt_id: AttemptId, node: int, container: str) -> AttemptId:
    """The id by which engines know one container of one node of an attempt with several; never the attempt's own."""
    return _derived(attempt_id, f"{node}/{container}")


def _derived(attempt_id: AttemptId, what: str) -> AttemptId:
    return AttemptId(blake2b(f"{attempt_id}/{what}".encode(), digest_size=16).hexdigest())
