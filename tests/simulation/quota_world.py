"""A queue with quota shares lived through at random: jobs come and end, limits change, the server dies again and again.

The leader, the store and the services are the real ones. The engine is a few lines here: it does what the intents that
are stored say, whenever chance lets it; so all that a server had decided and not done is found by the next one.
"""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from random import Random
from typing import TypeVar

from longshore.control.inbox import Inbox, Released
from longshore.control.leader import ControlSettings, Leader
from longshore.control.ledger import Host, OpenAttempt
from longshore.domain.ids import AttemptId, JobId, JobKey
from longshore.domain.job import Intent, Job, Wish, WishKind
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.policy import QuotaSharePolicy, SchedulingPolicy
from longshore.domain.queue import SERVICE_QUEUE
from longshore.domain.quota import QuotaLimit, QuotaPreemption, ResourceSharing, SharingStrategy
from longshore.domain.resources import Resources
from longshore.domain.retry import RetryStrategy
from longshore.domain.service_environment import CapacityLimit, ServiceEnvironment, service_environment_key
from longshore.engines.fake import FakeDriver, FakeSite
from longshore.ports.engine import Observation, TaskState
from longshore.ports.store import JobFilter, JobView, Reader, Transaction
from longshore.service.quota_shares import QuotaShareChanges, QuotaShareDraft, QuotaShares
from longshore.service.requests import Requests
from longshore.service.service_jobs import ServiceJobs, ServiceSubmission
from longshore.store.sqlite import InlineStore
from longshore.testing.builders import AT, HERE, LOCAL, a_queue
from longshore.testing.clock import VirtualClock
from longshore.testing.simulation.logs import KeptLogs

T = TypeVar("T")

UNIT, CAPACITY = "ml.m5.large", 6
SHARES = ("red", "green", "blue")
HOST = Resources(vcpu_milli=64_000, memory_mib=1 << 20)
PAYLOAD = json.dumps(
    {
        "TrainingJobName": "train",
        "RoleArn": "arn:aws:iam::000000000000:role/train",
        "AlgorithmSpecification": {"TrainingImage": "busybox", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": UNIT, "InstanceCount": 1, "VolumeSizeInGB": 1},
    }
)


class _Died(Exception):
    """The server was killed."""


class _MortalStore(InlineStore):
    """Undoes what is being written when the server dies before its commit."""

    dies = False

    async def write(self, work: Callable[[Transaction], T]) -> T:
        def cut_off(tx: Transaction) -> T:
            result = work(tx)
            if self.dies:
                self.dies = False
                raise _Died
            return result

        return await super().write(cut_off)


class QuotaWorld:
    """One seed's story."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.store, self.clock, self.inbox = _MortalStore(), VirtualClock(now=AT), Inbox()
        self.shares = QuotaShares(self.store, self.clock, self.inbox)
        self.jobs = ServiceJobs(self.store, self.clock, self.inbox, largest_host=HOST)
        self.requests = Requests(self.store, self.inbox, kind="service-job")
        self.ids: list[JobId] = []
        self.terminated: set[JobId] = set()
        self._numbers = count(1)
        self._seen: set[AttemptId] = set()
        self._preempted: set[AttemptId] = set()
        self.preemptions = self.deaths = 0

    async def open(self) -> None:
        await self.store.open()
        policy = SchedulingPolicy(
            scope=HERE,
            name="quotas",
            quota_share_policy=QuotaSharePolicy(idle_resource_assignment_strategy="FIFO"),
            created_at=AT,
        )
        environment = ServiceEnvironment(
            scope=HERE,
            name="env",
            type=SERVICE_QUEUE,
            state="ENABLED",
            status="VALID",
            engine="fake",
            capacity_limits=(CapacityLimit(max_capacity=CAPACITY, capacity_unit=UNIT),),
            created_at=AT,
        )
        queue = replace(
            a_queue("training", environments=[service_environment_key("env")]),
            queue_type=SERVICE_QUEUE,
            scheduling_policy_arn=policy.arn,
        )

        def fill(tx: Transaction) -> None:
            tx.put_scheduling_policy(policy)
            tx.put_service_environment(environment)
            tx.put_queue(queue)

        await self.store.write(fill)
        for name in SHARES:
            await self.shares.create(
                HERE,
                QuotaShareDraft(
                    name=name,
                    queue="training",
                    capacity_limits=self._limits(),
                    resource_sharing=self._sharing(),
                    preemption=QuotaPreemption(
                        in_share_preemption="ENABLED" if self.rng.random() < 0.5 else "DISABLED"
                    ),
                    tags={},
                ),
            )
        await self._start()

    async def _start(self) -> None:
        self.inbox = Inbox()
        for service in (self.shares, self.jobs, self.requests):
            service._notifier = self.inbox  # pyright: ignore[reportPrivateUsage] # callers reach who is up
        self.leader = Leader(
            store=self.store,
            drivers={"fake": FakeDriver(FakeSite(self.clock), self.clock)},
            logs=KeptLogs(),
            clock=self.clock,
            inbox=self.inbox,
            hosts=[Host(id=LOCAL, total=HOST)],
            settings=ControlSettings(oversize="wait", free_losses=1),
            new_attempt_id=lambda: AttemptId(f"{next(self._numbers):032x}"),
        )
        await self.leader.lead()
        self.leader.lanes["fake"].problem = ""

    def _limits(self) -> tuple[QuotaLimit, ...]:
        return (QuotaLimit(max_capacity=self.rng.choice((1, 2, 2, 3)), capacity_unit=UNIT),)

    def _sharing(self) -> ResourceSharing:
        strategies: list[SharingStrategy] = ["RESERVE", "LEND", "LEND_AND_BORROW", "LEND_AND_BORROW"]
        strategy = self.rng.choice(strategies)
        borrows = strategy == "LEND_AND_BORROW"
        return ResourceSharing(strategy=strategy, borrow_limit=self.rng.choice((None, 50, 100)) if borrows else None)

    async def live(self, steps: int) -> None:
        """So many things happen, and then all work ends."""
        for _ in range(steps):
            await self._happen()
            await self._turns()
        for _ in range(20 * len(self.ids) + 20):
            self._engine(must_act=True)
            await self._turns()
            if all(job.status.is_final for job in (await self.store.read(_load)).values()):
                return
        raise AssertionError("work does not end")

    async def _happen(self) -> None:
        rng = self.rng
        await self.clock.advance(rng.choice((0.0, 0.1, 2.0)))
        kind = rng.random()
        if kind < 0.45:
            submission = ServiceSubmission(
                name="job",
                queue="training",
                payload=PAYLOAD,
                retry_strategy=RetryStrategy(attempts=rng.choice((1, 2))),
                quota_share_name=rng.choice(SHARES),
                preemption_retries=rng.choice((None, None, 0, 1)),
                scheduling_priority=rng.choice((0, 0, 1, 7)),
                size_bytes=1000,
            )
            self.ids.append(await self.jobs.submit(HERE, submission))
        elif kind < 0.55 and self.ids:
            tasks = self.leader.open_tasks() or ()
            going = [each.job.id for each in tasks if each.attempt.stop_cause and not each.attempt.has_ended]
            job_id = rng.choice(going or self.ids)
            self.terminated.add(job_id)
            await self.requests.request(HERE, str(job_id), Wish(kind=WishKind.TERMINATE, reason="enough"))
        elif kind < 0.62:
            share = rng.choice(await self.store.read(lambda reader: reader.quota_shares(HERE, "training")))
            await self.shares.update(
                HERE, share.arn, QuotaShareChanges(capacity_limits=self._limits(), resource_sharing=self._sharing())
            )
        self._engine(must_act=False)

    async def _turns(self) -> None:
        """The leader takes turns until it has nothing to do, or dies before a commit or behind it."""
        while True:
            self.store.dies = self.rng.random() < 0.05
            dies_after = self.rng.random() < 0.1
            more = False
            with suppress(_Died):
                more = await self.leader.turn()
                self.store.dies = False
                await self.check()
                if not dies_after:
                    if not more:
                        return
                    continue
            self.deaths += 1
            await self._start()

    def _engine(self, *, must_act: bool) -> None:
        """Launches, ends and releases what the store says is to be, or some of it."""
        for entry in self.leader.open_tasks() or ():
            if not must_act and self.rng.random() < 0.5:
                continue
            news = self._news_of(entry, must_end=must_act)
            if news is not None:
                self.inbox.put([news])

    def _news_of(self, entry: OpenAttempt, *, must_end: bool) -> Observation | Released | None:
        attempt, now = entry.attempt, self.clock.now()
        if attempt.has_ended:
            return Released(attempt_ids=(attempt.attempt_id,))
        if attempt.intent is Intent.STOP:
            code = self.rng.choice((143, 143, 0, None))
        elif attempt.started_at is None:
            return Observation(attempt_id=attempt.attempt_id, state=TaskState.RUNNING, started_at=now)
        elif must_end or self.rng.random() < 0.2:
            code = self.rng.choice((0, 0, 1, None))
        else:
            return None
        if code is None:
            return Observation(attempt_id=attempt.attempt_id, state=TaskState.LOST)
        began = attempt.started_at or now - timedelta(seconds=1)
        return Observation(
            attempt_id=attempt.attempt_id, state=TaskState.EXITED, started_at=began, stopped_at=now, exit_code=code
        )

    async def check(self) -> None:
        """What must hold in every committed state."""
        views = await self.store.read(_describe)
        shares = {s.share_name: s for s in await self.store.read(lambda r: r.quota_shares(HERE, "training"))}
        held = Counter(view.job.spec.quota_share_name for view in views if _is_open(view))
        for view in views:
            self._check_job(view)
            attempt = view.job.attempt
            if attempt is None or attempt.attempt_id in self._seen:
                continue
            self._seen.add(attempt.attempt_id)
            share = shares[view.job.spec.quota_share_name or ""]
            limit = share.limits[UNIT]
            most = CAPACITY if share.borrow_percent is None else limit + limit * share.borrow_percent // 100
            assert held[share.share_name] <= most, f"{share.share_name} holds {held} with {limit}, at most {most}"
            assert held.total() <= CAPACITY

    def _check_job(self, view: JobView) -> None:
        job = view.job
        ended = [attempt for attempt in view.attempts if attempt.has_ended]
        preempted = [attempt for attempt in ended if attempt.stop_cause == "preempted"]
        assert job.preemptions == len(preempted), "preemptions are counted, once each"
        fresh = {attempt.attempt_id for attempt in preempted} - self._preempted
        self.preemptions += len(fresh)
        self._preempted |= fresh
        assert len(view.attempts) == job.attempts_made
        assert len(view.attempts) - len(ended) == (job.attempt is not None)
        charged = len(ended) - len(preempted) - job.lost_hosts
        allowed, retries = job.spec.retry.attempts, job.spec.preemption_retries
        assert charged <= allowed
        if retries is not None and len(preempted) > retries:
            assert job.status is JobStatus.FAILED, "preemption retries are spent"
        if job.id in self.terminated and not job.status.is_final:
            assert job.wish is not None, "who terminates wins"
        if job.wish is not None and job.status.is_final:
            assert (job.status, job.status_reason) == (JobStatus.FAILED, "enough"), "who terminates wins"
        elif job.status is JobStatus.FAILED:
            assert job.id in self.terminated or charged == allowed or len(preempted) == (retries or 0) + 1, (
                f"{job} was given up with attempts left"
            )
        elif job.status is JobStatus.SUCCEEDED:
            assert view.attempts[-1].stop_cause is None


def _is_open(view: JobView) -> bool:
    return view.job.attempt is not None


def _keys(reader: Reader) -> list[JobKey]:
    return [view.job.key for view in reader.list_jobs(HERE, "training", JobFilter(), before=None, limit=10_000)]


def _load(reader: Reader) -> dict[JobKey, Job]:
    return dict(reader.load_jobs(_keys(reader)))


def _describe(reader: Reader) -> list[JobView]:
    return list(reader.describe_jobs(_keys(reader)))
