"""Attempts with several containers or nodes: which part is launched or stopped next, and what comes of the whole.

All of it is decided from the workload and from what is stored of the attempt and its parts, so it is decided again in
the same way by whoever reads them after a crash. The rules:

- A container is launched when those it depends on have started, completed or succeeded; one whose dependency can't be
  met any more ends without having been launched, and that ends its node.
- A node is over when an essential container has ended, one was lost or a dependency can't be met, or all have ended:
  what waits ends, what lives is stopped.
- The main node begins; the others are launched when it has started. Its end ends the attempt, theirs ends nothing.
  Where all nodes are needed its end ends nothing either, and the failure of any ends the attempt.
- The attempt has started when every container of the main node has; it has ended when all parts have, with the outcome
  of the main node, or of all that are needed. All its parts are released then, and none before: they share volumes and
  a network.

Source: AWS Batch user guide, multi-container jobs and multi-node parallel jobs; Amazon ECS, container dependencies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar, assert_never

from longshore.domain.ids import AttemptId, HostId, part_id
from longshore.domain.job import Attempt, Intent, Part
from longshore.domain.lifecycle import attempts, reasons
from longshore.domain.lifecycle.events import (
    DependencyTimeoutPassed,
    HostLost,
    LaunchConfirmed,
    PartNews,
    PlacedNode,
    TaskExited,
    TaskFailedToStart,
    TaskStarted,
)
from longshore.domain.resources import Resources
from longshore.domain.workload import Condition, WorkContainer, Workload, WorkNode

N = TypeVar("N", int, float)

#: What may come of an attempt by what its parts did.
Conclusion = TaskStarted | TaskExited | TaskFailedToStart | HostLost


def open_parts(workload: Workload, attempt: Attempt, placed: Sequence[PlacedNode]) -> tuple[Part, ...]:
    """Every part of a new attempt, none to be launched yet; `placed` has one for each node."""
    parts: list[Part] = []
    for node, place in zip(workload.nodes, placed, strict=True):
        gpus = list(place.gpu_names)
        scratch_mib = place.resources.scratch_mib  # one for all containers: the first stands for them
        for container in node.containers:
            count = container.resources.gpus
            part = _open_part(attempt, node, container, place, tuple(gpus[:count]))
            part = replace(part, resources=replace(part.resources, scratch_mib=scratch_mib))
            scratch_mib = 0
            # containers that run one after another may have the same GPUs: the node has as many as it needs at once
            gpus = gpus[count:] + gpus[:count]
            parts.append(part)
    return tuple(parts)


def _open_part(
    attempt: Attempt, node: WorkNode, container: WorkContainer, place: PlacedNode, gpu_names: tuple[str, ...]
) -> Part:
    return Part(
        attempt_id=part_id(attempt.attempt_id, node.index, container.name),
        job_key=attempt.job_key,
        number=attempt.number,
        environment_name=attempt.environment_name,
        host_id=HostId(place.host_id),
        resources=_share(container.resources, node.resources, place.resources),
        gpu_names=gpu_names,
        intent=Intent.WAIT,
        opened_at=attempt.opened_at,
        node=node.index,
        container=container.name,
        address=place.address,
    )


def _share(asked: Resources, by_all: Resources, held: Resources) -> Resources:
    """What one container gets of what its node holds, which is less than it asked for when it runs alone on a host."""
    if by_all.fits(held):
        return asked
    return replace(
        asked,
        vcpu_milli=min(asked.vcpu_milli, asked.vcpu_milli * held.vcpu_milli // max(by_all.vcpu_milli, 1)),
        memory_mib=min(asked.memory_mib, asked.memory_mib * held.memory_mib // max(by_all.memory_mib, 1)),
    )


def note_news(workload: Workload, attempt: Attempt, event: PartNews, now: datetime) -> Attempt | None:
    """The attempt with what is new of one part; None when that changes nothing."""
    at = next((i for i, part in enumerate(attempt.parts) if part.attempt_id == event.news.attempt_id), None)
    if at is None:
        return None
    part, news = attempt.parts[at], event.news
    if isinstance(news, DependencyTimeoutPassed):
        return _give_up_waiting(workload.nodes[part.node], attempt, part, now)
    if part.has_ended or part.intent is Intent.WAIT:
        return None
    match news:
        case LaunchConfirmed():
            noted = attempts.confirmed(part, news)
        case TaskStarted():
            noted = part if part.started_at else replace(attempts.started(part, news), address=_address(part, news))
        case TaskExited():
            noted = attempts.exited(part, news)
        case TaskFailedToStart():
            noted = attempts.not_started(part, news, now)
        case HostLost():
            noted = attempts.lost(part, now)
        case _:
            assert_never(news)
    if noted == part:
        return None
    return replace(attempt, parts=(*attempt.parts[:at], noted, *attempt.parts[at + 1 :]))


def _address(part: Part, news: TaskStarted) -> str:
    return news.address or part.address


def _give_up_waiting(node: WorkNode, attempt: Attempt, slow: Part, now: datetime) -> Attempt | None:
    """End what waits for more than the start of a container that had its time."""
    parts = list(attempt.parts)
    by_name = {part.container: part for part in parts if part.node == node.index}
    wanted = {container.name: dict(container.depends_on).get(slow.container) for container in node.containers}
    seconds = next(c.start_timeout_seconds for c in node.containers if c.name == slow.container)
    for at, part in enumerate(parts):
        condition = wanted.get(part.container) if part.node == node.index else None
        if part.intent is not Intent.WAIT or part.has_ended or condition in (None, Condition.START):
            continue
        if _standing(by_name[slow.container], condition) is None:
            why = f"container {slow.container} did not reach {condition} within its startTimeout of {seconds} s"
            parts[at] = _unmet(part, why, now)
    return None if tuple(parts) == attempt.parts else replace(attempt, parts=tuple(parts))


def direct(workload: Workload, attempt: Attempt, now: datetime) -> Attempt:
    """The attempt with the intents that its parts have from now on. What is directed so stays so."""
    if attempt.has_ended:
        released = (
            part if part.intent is Intent.WAIT else replace(part, intent=Intent.RELEASE) for part in attempt.parts
        )
        return replace(attempt, parts=tuple(released))
    nodes = by_node(workload, attempt.parts)
    main = workload.nodes[workload.main_node]
    stops = attempt.stop_cause is not None
    if workload.needs_all_nodes:
        stops = stops or any(map(_went_wrong, *_all(workload, attempt)))
    directed = _direct_node(main, nodes[main.index], must_end=stops, may_begin=True, now=now)
    must_end = stops or (not workload.needs_all_nodes and _is_over(main, directed))
    may_begin = has_started(main, directed)
    parts: list[Part] = []
    for node in workload.nodes:
        if node is main:
            parts += directed
        else:
            parts += _direct_node(node, nodes[node.index], must_end=must_end, may_begin=may_begin, now=now)
    return replace(attempt, parts=tuple(parts))


def by_node(workload: Workload, parts: Sequence[Part]) -> Sequence[Sequence[Part]]:
    """The parts of each node, in the order of its containers."""
    found: list[Sequence[Part]] = []
    begin = 0
    for node in workload.nodes:
        found.append(parts[begin : begin + len(node.containers)])
        begin += len(node.containers)
    return found


def _direct_node(
    node: WorkNode, parts: Sequence[Part], *, must_end: bool, may_begin: bool, now: datetime
) -> Sequence[Part]:
    while True:  # what one part comes to may decide on another
        over = must_end or _is_over(node, parts)
        known = {part.container: part for part in parts}
        moved = [
            _direct_part(container, part, known, must_end=over, may_begin=may_begin, now=now)
            for container, part in zip(node.containers, parts, strict=True)
        ]
        if all(after is before for after, before in zip(moved, parts, strict=True)):
            return parts
        parts = moved


def _direct_part(
    container: WorkContainer,
    part: Part,
    known: Mapping[str, Part],
    *,
    must_end: bool,
    may_begin: bool,
    now: datetime,
) -> Part:
    if part.has_ended:
        return part
    if part.intent is not Intent.WAIT:
        return replace(part, intent=Intent.STOP) if must_end and part.intent is not Intent.STOP else part
    if must_end:
        reason = f"container {part.container} was not started: the end of others came first"
        return replace(part, stopped_at=now, reason=reason[:255], status_reason=reasons.NOT_STARTED)
    if not may_begin:
        return part
    is_met = True
    for name, condition in container.depends_on:
        standing = _standing(known[name], condition)
        if standing is False:
            return _unmet(part, f"container {name} did not reach {condition}{_told(known[name])}", now)
        is_met = is_met and standing is True
    return replace(part, intent=Intent.LAUNCH) if is_met else part


def _standing(on: Part, condition: Condition) -> bool | None:
    """Whether a dependency is met; None: it may be, later."""
    match condition:
        case Condition.START:
            met = on.started_at is not None
        case Condition.COMPLETE:
            met = on.exit_code is not None
        case Condition.SUCCESS:
            met = on.exit_code == 0
    return met or (False if on.has_ended else None)


def _told(part: Part) -> str:
    """How it ended, in words behind others."""
    if part.exit_code is not None:
        return f", it exited with code {part.exit_code}" + (f" ({part.reason})" if part.reason else "")
    return f": {part.reason or part.status_reason}"


def _unmet(part: Part, why: str, now: datetime) -> Part:
    reason = f"container {part.container} was not started: {why}"
    return replace(part, stopped_at=now, reason=reason[:255], status_reason=reasons.DEPENDENCY_UNMET)


def _is_over(node: WorkNode, parts: Sequence[Part]) -> bool:
    """Whether what is left of the node has to end."""
    ended = [(container, part) for container, part in zip(node.containers, parts, strict=True) if part.has_ended]
    return len(ended) == len(parts) or any(
        container.ends_all or part.status_reason == reasons.DEPENDENCY_UNMET or is_lost(part)
        for container, part in ended
    )


def is_lost(part: Part) -> bool:
    """Whether it ended and nobody knows how."""
    return part.has_ended and part.status_reason == reasons.host_lost(part.host_id)


def has_started(node: WorkNode, parts: Sequence[Part]) -> bool:
    """Whether each container of the node has run; one that nothing depends on may have failed to."""
    return any(part.started_at for part in parts) and all(
        part.started_at is not None
        or (part.status_reason == reasons.FAILED_TO_START and not (container.ends_all or container.must_succeed))
        for container, part in zip(node.containers, parts, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a node all of whose parts have ended."""

    #: None when one was lost or never ran
    exit_code: int | None
    reason: str = ""
    is_lost: bool = False


def outcome_of(node: WorkNode, parts: Sequence[Part]) -> Outcome:
    """The outcome of a node: 0 if all containers that must succeed did, else that of the first that went wrong."""
    return _outcome(node.containers, parts)


def _outcome(containers: Sequence[WorkContainer], parts: Sequence[Part]) -> Outcome:
    wrong = [part for container, part in zip(containers, parts, strict=True) if _went_wrong(container, part)]
    if not wrong:
        main = next((p for c, p in zip(containers, parts, strict=True) if c.must_succeed), None)
        return Outcome(exit_code=0, reason=main.reason if main else "")
    wrong += [part for part in parts if is_lost(part)]
    # what was not started because others had ended tells the least, and little what was stopped for it
    first = min(wrong, key=lambda p: (p.status_reason == reasons.NOT_STARTED, p.intent is Intent.STOP, p.stopped_at))
    return Outcome(exit_code=first.exit_code, reason=first.reason, is_lost=is_lost(first))


def _went_wrong(container: WorkContainer, part: Part) -> bool:
    """Whether it ended in a way that its node does not bear."""
    if not part.has_ended:
        return False
    return part.status_reason == reasons.DEPENDENCY_UNMET or (container.must_succeed and part.exit_code != 0)


def _all(workload: Workload, attempt: Attempt) -> tuple[Sequence[WorkContainer], Sequence[Part]]:
    """The containers of all nodes, and their parts."""
    return [container for node in workload.nodes for container in node.containers], attempt.parts


def conclude(workload: Workload, attempt: Attempt, *, free_losses: int) -> Conclusion | None:
    """What has come of the attempt as a whole that it does not say yet; `free_losses` as in `HostLost`."""
    if attempt.has_ended:
        return None
    main = workload.nodes[workload.main_node]
    parts = by_node(workload, attempt.parts)[main.index]
    attempt_id = attempt.attempt_id
    if attempt.started_at is None and has_started(main, parts):
        return _start(attempt_id, parts)
    if not all(part.has_ended for part in attempt.parts):
        return None
    containers, decisive = _all(workload, attempt) if workload.needs_all_nodes else (main.containers, parts)
    outcome = _outcome(containers, decisive)
    if outcome.is_lost:
        return HostLost(attempt_id=attempt_id, free_losses=free_losses)
    if outcome.exit_code is None:
        return TaskFailedToStart(attempt_id=attempt_id, reason=outcome.reason)
    return TaskExited(
        attempt_id=attempt_id,
        exit_code=outcome.exit_code,
        reason=outcome.reason,
        started_at=_last_start(parts) if outcome.exit_code == 0 else None,
        stopped_at=max(part.stopped_at for part in decisive if part.stopped_at and part.exit_code is not None),
        cpu_seconds=_sum([part.cpu_seconds for part in attempt.parts]),
        peak_memory_bytes=_sum([part.peak_memory_bytes for part in attempt.parts]),
        peak_scratch_bytes=_sum([part.peak_scratch_bytes for part in attempt.parts]),
    )


def _last_start(parts: Sequence[Part]) -> datetime | None:
    """Of what succeeded this is its start, though a container never came to one."""
    return max((part.started_at for part in parts if part.started_at), default=None)


def _start(attempt_id: AttemptId, parts: Sequence[Part]) -> TaskStarted:
    last = max((part for part in parts if part.started_at), key=lambda part: part.started_boot_seconds or 0.0)
    assert last.started_at is not None, last
    return TaskStarted(
        attempt_id=attempt_id,
        started_at=last.started_at,
        boot_id=last.started_boot_id,
        boot_seconds=last.started_boot_seconds or 0.0,
    )


def _sum(amounts: Sequence[N | None]) -> N | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known[1:], start=known[0]) if known else None
