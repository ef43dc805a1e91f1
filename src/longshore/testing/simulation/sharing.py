"""Shares of queues and consumable resources: what a seed draws of them, and what must hold of them.

Drawn by chance of their own, so that the rest of a seed's story stays as it is.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from longshore.domain.consumable import ConsumableResource
from longshore.domain.ids import AttemptId
from longshore.domain.policy import FairsharePolicy, SchedulingPolicy, ShareAttributes
from longshore.domain.queue import JobQueue, StateTimeLimitAction
from longshore.scheduling.fairshare import HOLDING_SECONDS, use_after
from longshore.testing.builders import AT, HERE
from longshore.testing.simulation.broken import broken
from longshore.testing.simulation.loop import BEGINS_AT
from longshore.testing.simulation.records import AttemptRow, ConsumableRow, ShareRow
from longshore.testing.simulation.scenario import PlannedJob, PlannedUpdate, Scenario

_SHARES = ("red", "green", "blue1", "blue2")
_WEIGHTS = (
    (),
    (ShareAttributes(share_identifier="red", weight_factor=0.125),),
    (ShareAttributes(share_identifier="red", weight_factor=4.0), ShareAttributes(share_identifier="blue*")),
)
_REASONS = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
)
#: How much what is counted here may differ from what the leader counted a moment before or after.
_TOLERANCE_MILLI_SECONDS = 2000.0


def with_sharing(scenario: Scenario) -> Scenario:
    """The scenario with fair-share queues, actions on heads and consumable resources."""
    rng = random.Random(f"{scenario.seed} sharing")
    policies: list[SchedulingPolicy] = []
    queues: list[JobQueue] = []
    for queue in scenario.queues:
        if rng.random() < 0.5:
            policy = SchedulingPolicy(
                scope=HERE,
                name=f"policy-of-{queue.name}",
                fairshare_policy=FairsharePolicy(
                    share_decay_seconds=rng.choice((0, 0, 3600)),
                    compute_reservation=rng.choice((0, 0, 10, 50)),
                    share_distribution=rng.choice(_WEIGHTS),
                ),
                created_at=AT,
            )
            policies.append(policy)
            queue = replace(queue, scheduling_policy_arn=policy.arn)
        if rng.random() < 0.3:
            action = StateTimeLimitAction(
                reason=rng.choice(_REASONS), state="RUNNABLE", max_time_seconds=rng.choice((5, 20, 60)), action="CANCEL"
            )
            queue = replace(queue, time_limit_actions=(action,))
        queues.append(queue)
    consumables = tuple(
        ConsumableResource(
            scope=HERE,
            name=f"resource-{number}",
            resource_type=rng.choice(("REPLENISHABLE", "NON_REPLENISHABLE")),
            quantity=rng.choice((1, 2, 5, 20)),
            created_at=AT,
        )
        for number in range(rng.choice((0, 1, 2)))
    )
    fair = {queue.name for queue in queues if queue.scheduling_policy_arn is not None}
    jobs = tuple(_shared(rng, job, fair, consumables) for job in scenario.jobs)
    updates = [
        PlannedUpdate(
            at=round(rng.uniform(BEGINS_AT, scenario.calm_at), 3),
            name=each.name,
            operation=rng.choice(("ADD", "REMOVE")),
            quantity=rng.choice((1, 2, 5)),
        )
        for each in consumables
        for _ in range(rng.choice((0, 1, 3)))
    ]
    # in the end there is enough of everything
    updates += (
        PlannedUpdate(at=scenario.calm_at, name=each.name, operation="ADD", quantity=1_000_000) for each in consumables
    )
    return replace(
        scenario,
        policies=tuple(policies),
        queues=tuple(queues),
        consumables=consumables,
        jobs=jobs,
        updates=tuple(updates),
    )


def _shared(
    rng: random.Random, job: PlannedJob, fair: Collection[str], consumables: Collection[ConsumableResource]
) -> PlannedJob:
    takes = tuple((each.name, rng.choice((1, 1, 2, 3))) for each in consumables if rng.random() < 0.4)
    if job.queue not in fair:
        return replace(job, consumables=takes)
    return replace(job, consumables=takes, share=rng.choice(_SHARES), priority=rng.choice((0, 0, 1, 7)))


@dataclass(slots=True)
class _Share:
    milli_seconds: float = 0.0
    held_milli: int = 0
    at: float = 0.0
    #: when a job of it last started or ended
    moved_at: float = 0.0


class Shares:
    """What each share has used and holds, counted from the events alone."""

    def __init__(self, scenario: Scenario, boot_seconds: Callable[[], float]) -> None:
        self._scenario = scenario
        self._boot_seconds = boot_seconds
        self._shares: dict[tuple[str, str], _Share] = {}

    @property
    def are_countable(self) -> bool:
        """False where time that shares were idle can't be told: over a boot the wall clock counts, and it jumps."""
        return not (self._scenario.reboots and self._scenario.wall_jumps)

    def _policy(self, queue: str) -> FairsharePolicy:
        policy = self._scenario.policy(queue)
        assert policy is not None
        return policy

    def moved(self, job: PlannedJob, *, sign: int) -> None:
        """A job of this submission has started, or has ended with an attempt."""
        if job.share is None:
            return
        share = self._share(job.queue, job.share)
        share.held_milli += sign * job.resources.vcpu_milli
        share.moved_at = share.at

    def _share(self, queue: str, name: str) -> _Share:
        """The share as it is now."""
        now = self._boot_seconds()
        share = self._shares.setdefault((queue, name), _Share(at=now))
        seconds = now - share.at
        share.milli_seconds = use_after(share.milli_seconds, share.held_milli, seconds, self._policy(queue))
        share.at = now
        return share

    def standing(self, queue: str, name: str, active: Collection[str]) -> float:
        """By what the share comes before others or after them; `active` are those that have jobs."""
        policy, share, now = self._policy(queue), self._share(queue, name), self._boot_seconds()
        recent = {
            other
            for (of, other), each in self._shares.items()
            if of == queue and now - each.moved_at < policy.window_seconds
        }
        weight = 1.0
        for entry in policy.share_distribution:
            if entry.covers(name):
                covered = sum(map(entry.covers, {*active, *recent, name}))
                weight = entry.weight_factor * (covered if entry.share_identifier.endswith("*") else 1)
        return (share.milli_seconds + share.held_milli * HOLDING_SECONDS) * weight

    def check_rows(self, rows: Collection[ShareRow]) -> None:
        """What is stored of each share is what it has used."""
        if not self.are_countable:
            return
        for row in rows:
            share = self._shares.get((row.queue_name, row.share_identifier))
            if share is None or row.queue_name in self._scenario.deleted_queues:
                continue
            if abs(share.at - row.boot_seconds) > 0.5:
                continue  # not written in this commit
            held_since = share.held_milli * abs(share.at - row.boot_seconds)  # the turn began before its commit
            allowed = _TOLERANCE_MILLI_SECONDS + 0.01 * share.milli_seconds + held_since
            if abs(share.milli_seconds - row.milli_seconds) > allowed:
                broken("what shares used is counted", f"{row}; {share}")


class Consumption:
    """What attempts take of consumable resources."""

    def __init__(self, scenario: Scenario, planned: Callable[[int], PlannedJob]) -> None:
        self._planned = planned
        self._used_up: Counter[str] = Counter()
        self._replenishable = {each.name for each in scenario.consumables if each.resource_type == "REPLENISHABLE"}

    def look(
        self,
        resources: Collection[ConsumableRow],
        before: Mapping[AttemptId, AttemptRow],
        attempts: Mapping[AttemptId, AttemptRow],
    ) -> None:
        """Nothing that starts takes more than there is, and what was used up stays so."""
        if not resources:
            return
        held, fresh = Counter[str](), Counter[str]()
        for attempt_id, attempt in attempts.items():
            known = before.get(attempt_id)
            takes = self._planned(attempt.job_key).consumables
            if attempt.stopped_at is None:
                held.update(dict(takes))
                if known is None:
                    fresh.update(dict(takes))
            elif (known is None or known.stopped_at is None) and attempt.started_at is not None:
                self._used_up.update({name: taken for name, taken in takes if name not in self._replenishable})
        for row in resources:
            if row.used_up != self._used_up[row.name]:
                broken("what is used up stays used up", f"{row}; attempts that ran took {self._used_up[row.name]}")
            if fresh[row.name] and held[row.name] > row.quantity - row.used_up:
                broken("no over-commitment of consumables", f"{row}: {held[row.name]} are held")
