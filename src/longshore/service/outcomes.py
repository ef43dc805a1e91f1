"""How a job's attempts went, what they used of what they asked for, and why each was tried again or not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest

from longshore.domain.job import Attempt, Job, JobSpec, Part, StopCause
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.trainings import has_succeeded, status_reason_of
from longshore.domain.resources import Resources
from longshore.domain.retry import RetryStrategy, matching_action
from longshore.ports.store import JobView
from longshore.service.documents import Amounts, Document, Used, amounts_of, use_of
from longshore.service.retry_powers import ON_OOM
from longshore.service.wording import counted, duration, mebibytes

#: Below this a share of CPU time says nothing.
_MEASURABLE_SECONDS = 0.1


class PartAccount(Document, frozen=True):
    """One container of one node of an attempt that has several."""

    node: int
    container: str
    host: str
    #: at which others of the attempt reach it; empty where there are none or it is not known
    address: str
    gpu_names: tuple[str, ...]
    started_at: datetime | None
    stopped_at: datetime | None
    exit_code: int | None
    reason: str
    status_reason: str


class AttemptAccount(Document, frozen=True):
    """One attempt."""

    number: int
    attempt_id: str
    environment: str
    host: str
    gpu_names: tuple[str, ...]
    opened_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    exit_code: int | None
    reason: str
    status_reason: str
    asked: Amounts
    #: None until it has ended
    used: Used | None
    #: `used` in words, beside what was asked for
    use: str
    #: why it was tried again or not; empty for one that succeeded or has not ended
    decision: str
    #: of a job with several containers or nodes
    parts: tuple[PartAccount, ...] = ()


def account_for(view: JobView) -> Sequence[AttemptAccount]:
    """The job's attempts, oldest first."""
    spec = view.job.spec
    accounts: list[AttemptAccount] = []
    lost = charged = 0
    for attempt, following in zip_longest(view.attempts, view.attempts[1:]):
        asked, later = (_asked(spec, each.resources) for each in (attempt, following or view.job))
        is_lost = attempt.status_reason == reasons.host_lost(attempt.host_id) and lost < view.job.lost_hosts
        is_free = is_lost or attempt.stop_cause is StopCause.PREEMPTED
        lost, charged = lost + is_lost, charged + (not is_free)
        used = use_of(attempt) if attempt.has_ended else None
        memory = _render_memory(spec, attempt, asked, later)
        account = AttemptAccount(
            number=attempt.number,
            attempt_id=attempt.attempt_id,
            environment=attempt.environment_name,
            host=attempt.host_id,
            gpu_names=attempt.gpu_names,
            opened_at=attempt.opened_at,
            started_at=attempt.started_at,
            stopped_at=attempt.stopped_at,
            exit_code=attempt.exit_code,
            reason=attempt.reason,
            status_reason=status_reason_of(spec, attempt),
            asked=amounts_of(asked),
            used=used,
            use=_render_use(asked, used) if used else "",
            decision=_render_decision(view.job, attempt, charged, lost, is_free=is_free, memory=memory)
            if attempt.has_ended
            else "",
            parts=tuple(map(_account_for_part, attempt.parts)),
        )
        accounts.append(account)
    return accounts


def _account_for_part(part: Part) -> PartAccount:
    return PartAccount(
        node=part.node,
        container=part.container,
        host=part.host_id,
        address=part.address,
        gpu_names=part.gpu_names,
        started_at=part.started_at,
        stopped_at=part.stopped_at,
        exit_code=part.exit_code,
        reason=part.reason,
        status_reason=part.status_reason,
    )


def _render_use(asked: Resources, used: Used) -> str:
    parts: list[str] = []
    if used.run_seconds is not None:
        parts.append(f"ran {duration(used.run_seconds)}")
    vcpus = asked.vcpu_milli / 1000
    if used.cpu_seconds is not None:
        share = (
            f" ({used.cpu_seconds / (used.run_seconds * vcpus):.0%})"
            if used.run_seconds and used.run_seconds > _MEASURABLE_SECONDS
            else ""
        )
        parts.append(f"used {used.cpu_seconds:.2f} CPU s of {vcpus:g} vCPU{share}")
    if used.peak_memory_bytes is not None:
        memory_mib = asked.memory_mib
        share = f" ({used.peak_memory_bytes / 2**20 / memory_mib:.0%})" if memory_mib else ""
        parts.append(f"peak {mebibytes(used.peak_memory_bytes)} of {memory_mib:,} MiB{share}")
    if used.peak_scratch_bytes is not None:
        scratch_mib = asked.scratch_mib
        share = f" of {scratch_mib:,} MiB ({used.peak_scratch_bytes / 2**20 / scratch_mib:.0%})" if scratch_mib else ""
        parts.append(f"scratch disk {mebibytes(used.peak_scratch_bytes)}{share}")
    return ", ".join(parts)


def _asked(spec: JobSpec, held: Resources) -> Resources:
    """What an attempt that held so much asked for: only memory differs between attempts."""
    return spec.resources if spec.powers.on_oom is None else replace(spec.resources, memory_mib=held.memory_mib)


def _render_memory(spec: JobSpec, attempt: Attempt, asked: Resources, later: Resources) -> str:
    """What became of memory after a kill for lack of it; empty when nothing was to become of it."""
    if spec.powers.on_oom is None or attempt.reason != reasons.OUT_OF_MEMORY:
        return ""
    if later.memory_mib > asked.memory_mib:
        return f" with {later.memory_mib:,} MiB in place of {asked.memory_mib:,} MiB, as {ON_OOM} says"
    return f" with the same memory, which {ON_OOM} does not raise any more"


def _render_decision(job: Job, attempt: Attempt, charged: int, lost: int, *, is_free: bool, memory: str) -> str:
    """Of the attempts up to this one `charged` spent the retry strategy, `lost` were free since their host was lost."""
    strategy = job.spec.retry
    was_tried_again = attempt.number < job.attempts_made or not job.status.is_final
    if attempt.stop_cause is StopCause.PREEMPTED:
        spent = job.spec.preemption_retries
        ending = "waits again; this is not charged to its attempts" if was_tried_again else f"it may be {spent} times"
        return f"preempted to make room for another job; {ending}"
    if attempt.stop_cause is StopCause.TERMINATED:
        return "not tried again: it was terminated"
    if attempt.stop_cause is StopCause.TIMED_OUT:
        return f"not tried again: it ran longer than its time-out of {job.spec.attempt_seconds} s"
    if has_succeeded(job.spec, attempt):
        return ""
    if is_free:
        own = job.spec.powers.host_retries
        spent = "" if own is None else f"; {lost} of {counted(own, 'host retry', 'host retries')} spent"
        return f"tried again: the loss of a host is not charged to the job's own attempts{spent}"
    rule = _matching_rule(strategy, attempt, status_reason_of(job.spec, attempt))
    spent = f"{charged} of {counted(strategy.attempts, 'attempt')} spent"
    if was_tried_again:
        return f"tried again{memory}{f': {rule} says RETRY' if rule else ''}; {spent}"
    if job.wish is not None:
        return f"not tried again: it was asked to {job.wish.kind}"
    if rule and charged < strategy.attempts:
        return f"not tried again: {rule} says EXIT; {spent}"
    return f"not tried again: {spent}"


def _matching_rule(strategy: RetryStrategy, attempt: Attempt, status_reason: str) -> str:
    """The first rule of evaluateOnExit that matches, in words; empty when none does."""
    for number, rule in enumerate(strategy.evaluate_on_exit, start=1):
        alone = RetryStrategy(attempts=strategy.attempts, evaluate_on_exit=(rule,))
        action = matching_action(alone, status_reason=status_reason, reason=attempt.reason, exit_code=attempt.exit_code)
        if action is None:
            continue
        given = {
            "onStatusReason": rule.on_status_reason,
            "onReason": rule.on_reason,
            "onExitCode": rule.on_exit_code,
        }
        conditions = ", ".join(f"{name} {pattern}" for name, pattern in given.items() if pattern is not None)
        return f"rule {number} of evaluateOnExit ({conditions or 'any end'})"
    return ""
