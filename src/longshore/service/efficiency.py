"""What attempts used of what they held, what that cost, and what would have been enough.

What is held is what counts as asked: a job that runs alone on a host that is too small for it holds all of that host.
CPU time is compared with vCPU time held, the peak of memory with memory held for as long as the attempt ran. An attempt
whose use was not measured counts for cost, and for nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Literal, get_args

import msgspec

from longshore.domain.errors import InvalidRequest, NotFound
from longshore.domain.ids import JobKey
from longshore.domain.lifecycle import reasons
from longshore.domain.prices import Prices
from longshore.ports.store import AttemptUse, Reader
from longshore.service.documents import Document
from longshore.service.everywhere import ALL, find_job

Grouping = Literal["job", "definition", "queue", "share", "environment", "tag"]
_GROUPINGS: Mapping[str, Grouping] = {each: each for each in get_args(Grouping)}

#: So many attempts are looked at, newest first: about a second's work.
MOST_ATTEMPTS = 100_000
#: With fewer good ends than this nothing is suggested.
_FEWEST = 3
#: Above the highest peak that was seen: memory that is a little short is a lost run, a little more costs little.
_MEMORY_MARGIN = 1.2
_MEMORY_STEP_MIB = 64
#: Part of the attempts whose mean use of CPU the suggestion covers.
_CPU_COVERED = 0.95
#: Below this a share of CPU time says nothing.
_MEASURABLE_SECONDS = 1.0
_SPOT = frozenset({"SPOT", "FARGATE_SPOT"})


class Use(Document, frozen=True):
    """How much of one resource was held and used, in hours of it (vCPU, GiB)."""

    held_hours: float
    #: of those attempts where it was measured
    measured_hours: float
    used_hours: float

    @property
    def share(self) -> float | None:
        """The part that was used; None where nothing was measured."""
        return self.used_hours / self.measured_hours if self.measured_hours else None


class Suggestion(Document, frozen=True):
    """What would have been enough for the attempts that were looked at; None: what was asked is right, or unknown."""

    vcpus: int | None
    memory_mib: int | None
    #: why, in words with numbers
    because: tuple[str, ...]


class Cost(Document, frozen=True):
    """What the hours held cost, by the declared prices."""

    total: float
    #: of it, what was held and not used, as far as use was measured
    wasted: float
    #: what the same would have cost beyond that had it not been spot capacity
    saved_by_spot: float


class EfficiencyRow(Document, frozen=True):
    """Attempts that belong together."""

    group: str
    attempts: int
    #: that ended with another exit code than 0, or with none
    failed: int
    run_hours: float
    cpu: Use
    memory: Use
    gpu_hours: float
    #: None: no price is declared for any of their environments
    cost: Cost | None
    suggestion: Suggestion | None


class EfficiencyReport(Document, frozen=True):
    """Groups, the most wasteful first."""

    by: str
    since: datetime
    currency: str
    rows: tuple[EfficiencyRow, ...]
    #: of all groups, those that are not shown included
    total: EfficiencyRow
    #: there were more attempts than are looked at; the oldest are left out
    is_partial: bool
    #: environments in which attempts ran and that no price is declared for
    unpriced: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficiencyQuery:
    """Which attempts are looked at, and how they are grouped."""

    by: Grouping = "definition"
    #: of `tag`
    tag: str = ""
    since: datetime
    account_id: str | None = None
    queue_name: str | None = None
    job_id: str | None = None
    limit: int = 50


@dataclass(slots=True)
class _Sum:
    """What is added up of one group."""

    attempts: int = 0
    failed: int = 0
    out_of_memory: int = 0
    run_hours: float = 0.0
    gpu_hours: float = 0.0
    held: dict[str, float] = field(default_factory=lambda: {"cpu": 0.0, "memory": 0.0})
    measured: dict[str, float] = field(default_factory=lambda: {"cpu": 0.0, "memory": 0.0})
    used: dict[str, float] = field(default_factory=lambda: {"cpu": 0.0, "memory": 0.0})
    cost: float = 0.0
    wasted: float = 0.0
    saved: float = 0.0
    is_priced: bool = False
    #: of good ends: vCPUs used on average, and the highest peak of memory
    vcpus_used: list[float] = field(default_factory=list[float])
    peak_mib: float = 0.0
    peaks: int = 0
    most_vcpu_milli: int = 0
    most_memory_mib: int = 0


def report_efficiency(reader: Reader, query: EfficiencyQuery, prices: Prices) -> EfficiencyReport:
    """Add up what ran.

    Raises:
        InvalidRequest, NotFound: there is no such job or queue.
    """
    submission = None
    if query.job_id is not None:
        submission = find_job(reader, query.job_id, query.account_id).job.spec.key
    uses = reader.attempt_uses(
        stopped_after=query.since, account_id=query.account_id, submission=submission, limit=MOST_ATTEMPTS + 1
    )
    is_partial, uses = len(uses) > MOST_ATTEMPTS, uses[:MOST_ATTEMPTS]
    if query.queue_name is not None:
        uses = [use for use in uses if use.queue_name == query.queue_name]
        if not uses and not reader.queues(None, names=[query.queue_name], limit=1):
            raise NotFound(f"there is no job queue {query.queue_name}")
    spot = {(e.scope, e.name) for e in reader.environments(None, limit=ALL) if e.resource_type in _SPOT}
    name_of = _names(reader, query, uses)
    sums: dict[str, _Sum] = {}
    total, unpriced = _Sum(), set[str]()
    for use in uses:
        is_spot = (use.scope, use.environment_name) in spot
        if prices.of(use.environment_name) is None:
            unpriced.add(use.environment_name)
        for into in (sums.setdefault(name_of(use), _Sum()), total):
            _add(into, use, prices, is_spot=is_spot)
    rows = [_row(name, each) for name, each in sums.items()]
    rows.sort(key=lambda row: (-(row.cost.wasted if row.cost else _idle_hours(row)), row.group))
    rows = rows[: query.limit]
    return EfficiencyReport(
        by=f"tag {query.tag}" if query.by == "tag" else query.by,
        since=query.since,
        currency=prices.currency,
        rows=tuple(_as_jobs(reader, rows) if query.by == "job" else rows),
        total=_row("", total, suggests=False),
        is_partial=is_partial,
        unpriced=tuple(sorted(unpriced)) if prices.environments else (),
    )


def _names(reader: Reader, query: EfficiencyQuery, uses: Sequence[AttemptUse]) -> Callable[[AttemptUse], str]:
    """What names the group of an attempt; of jobs their keys, so that only what is shown has to be read."""
    if query.by == "tag":
        tags = reader.tags_of({use.submission for use in uses})
        return lambda use: tags[use.submission].get(query.tag, "(none)")
    named: Mapping[str, Callable[[AttemptUse], str]] = {
        "job": lambda use: str(use.submission),
        "definition": lambda use: use.definition or "(service jobs)",
        "queue": lambda use: use.queue_name,
        "share": lambda use: f"{use.queue_name}: {use.share}" if use.share else f"{use.queue_name}: (no share)",
        "environment": lambda use: use.environment_name,
    }
    return named[query.by]


def _as_jobs(reader: Reader, rows: Sequence[EfficiencyRow]) -> Sequence[EfficiencyRow]:
    """The rows with the ids and names of jobs in place of their keys."""
    jobs = reader.load_jobs([JobKey(int(row.group)) for row in rows])
    names = {str(key): f"{job.id} {job.spec.name}" for key, job in jobs.items()}
    return [msgspec.structs.replace(row, group=names[row.group]) for row in rows]


def _add(into: _Sum, use: AttemptUse, prices: Prices, *, is_spot: bool) -> None:
    resources, seconds = use.resources, max((use.stopped_at - use.started_at).total_seconds(), 0.0)
    hours = seconds / 3600
    into.attempts += 1
    into.failed += use.exit_code != 0
    into.run_hours += hours
    into.gpu_hours += hours * resources.gpus
    into.most_vcpu_milli = max(into.most_vcpu_milli, resources.vcpu_milli)
    into.most_memory_mib = max(into.most_memory_mib, resources.memory_mib)
    held = {"cpu": hours * resources.vcpu_milli / 1000, "memory": hours * resources.memory_mib / 1024}
    used = {
        "cpu": None if use.cpu_seconds is None else use.cpu_seconds / 3600,
        "memory": None if use.peak_memory_bytes is None else hours * use.peak_memory_bytes / 2**30,
    }
    for name, amount in used.items():
        into.held[name] += held[name]
        if amount is not None:
            into.measured[name] += held[name]
            into.used[name] += amount
    if reasons.OUT_OF_MEMORY in use.reason:
        into.out_of_memory += 1
    elif use.exit_code == 0:
        if use.cpu_seconds is not None and seconds >= _MEASURABLE_SECONDS:
            into.vcpus_used.append(use.cpu_seconds / seconds)
        if use.peak_memory_bytes is not None:
            into.peaks += 1
            into.peak_mib = max(into.peak_mib, use.peak_memory_bytes / 2**20)
    price = prices.of(use.environment_name)
    if price is None:
        return
    parts, factor = price.of(resources), price.spot if is_spot else 1.0
    into.is_priced = True
    into.cost += parts.total * hours * factor
    into.saved += parts.total * hours * (1.0 - factor)
    for name, rate in (("cpu", parts.vcpu), ("memory", parts.memory)):
        amount = used[name]
        if amount is not None and held[name]:
            into.wasted += rate * hours * factor * max(1.0 - amount / held[name], 0.0)


def _row(name: str, of: _Sum, *, suggests: bool = True) -> EfficiencyRow:
    return EfficiencyRow(
        group=name,
        attempts=of.attempts,
        failed=of.failed,
        run_hours=of.run_hours,
        cpu=Use(held_hours=of.held["cpu"], measured_hours=of.measured["cpu"], used_hours=of.used["cpu"]),
        memory=Use(held_hours=of.held["memory"], measured_hours=of.measured["memory"], used_hours=of.used["memory"]),
        gpu_hours=of.gpu_hours,
        cost=Cost(total=of.cost, wasted=of.wasted, saved_by_spot=of.saved) if of.is_priced else None,
        suggestion=_suggestion(of) if suggests else None,
    )


def _idle_hours(row: EfficiencyRow) -> float:
    return max(row.cpu.measured_hours - row.cpu.used_hours, 0.0)


def _suggestion(of: _Sum) -> Suggestion | None:
    """What the group should have asked for; None when that is what it asked for, or too little is known."""
    because: list[str] = []
    vcpus = memory_mib = None
    if len(of.vcpus_used) >= _FEWEST:
        covered = sorted(of.vcpus_used)[ceil(_CPU_COVERED * len(of.vcpus_used)) - 1]
        enough = max(ceil(round(covered, 2)), 1)
        if enough * 1000 < of.most_vcpu_milli:
            vcpus = enough
            because.append(
                f"{_CPU_COVERED:.0%} of {len(of.vcpus_used):,} good ends used up to {covered:.2f} vCPU on average, "
                f"asked {of.most_vcpu_milli / 1000:g}"
            )
    if of.out_of_memory:
        memory_mib = 2 * of.most_memory_mib
        because.append(f"{of.out_of_memory:,} ran out of memory with up to {of.most_memory_mib:,} MiB")
    elif of.peaks >= _FEWEST:
        enough = ceil(of.peak_mib * _MEMORY_MARGIN / _MEMORY_STEP_MIB) * _MEMORY_STEP_MIB
        if enough < of.most_memory_mib:
            memory_mib = enough
            because.append(
                f"the highest peak of {of.peaks:,} good ends is {of.peak_mib:,.0f} MiB, asked {of.most_memory_mib:,}; "
                f"a fifth is added"
            )
    return Suggestion(vcpus=vcpus, memory_mib=memory_mib, because=tuple(because)) if because else None


def parse_grouping(text: str) -> tuple[Grouping, str]:
    """`by` of a query: a grouping, of which a tag is written `tag:KEY`. Raises InvalidRequest."""
    kind, _, tag = text.partition(":")
    grouping = _GROUPINGS.get(kind)
    if grouping is None or (grouping == "tag") is not bool(tag):
        known = ", ".join("tag:KEY" if each == "tag" else each for each in _GROUPINGS)
        raise InvalidRequest(f"by {text[:100]} is none of {known}")
    return grouping, tag
